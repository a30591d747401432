"""How the clusters are spread over the schedulers that are alive. Pure: each of them works it out by itself, from the same rows.

What nobody leads is dealt out, each cluster to the one that leads the fewest. Whoever leads the most gives back, one at a time, while
another leads at least two fewer; so nothing moves once all lead as many, give or take one. Equals are told apart by a weight that a
cluster and an address have in common for good: a scheduler that comes back is given what it had.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A scheduler that is alive and stays. `settled`: it has been here for long enough to be given what others lead."""

    holder: str
    address: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """A cluster and who leads it; empty where nobody does that is alive."""

    cluster: str
    holder: str


@dataclass(frozen=True, slots=True)
class Gift:
    """A cluster that is to be given to another."""

    cluster: str
    to: str


def dealt(me: str, members: Sequence[Member], held: Iterable[Held]) -> list[str]:
    """The clusters without a leader that fall to one. Nobody's, where one is not a member oneself."""
    counts = {member.holder: 0 for member in members}
    free: list[str] = []
    for one in held:
        if not one.holder:
            free.append(one.cluster)
        elif one.holder in counts:
            counts[one.holder] += 1
    mine: list[str] = []
    if not members:
        return mine
    for cluster in sorted(free):
        chosen = min(
            members, key=lambda member: (counts[member.holder], -weight(cluster, member), member.holder)
        ).holder
        counts[chosen] += 1
        if chosen == me:
            mine.append(cluster)
    return mine


def gift(me: str, members: Sequence[Member], held: Sequence[Held]) -> Gift | None:
    """What one should give to another now, if anything: the fullest to the emptiest, and only while nobody waits for a leader."""
    if any(not one.holder for one in held):
        return None
    counts = {member.holder: 0 for member in members}
    for one in held:
        if one.holder in counts:
            counts[one.holder] += 1
    takers = [member for member in members if member.settled]
    if me not in counts or not takers:
        return None
    fullest = max(counts, key=lambda holder: (counts[holder], holder))
    emptiest = min(takers, key=lambda member: (counts[member.holder], member.holder))
    if fullest != me or counts[me] - counts[emptiest.holder] < 2:
        return None
    mine = sorted(one.cluster for one in held if one.holder == me)
    return Gift(max(mine, key=lambda cluster: weight(cluster, emptiest)), emptiest.holder)


def shares(me: str, members: Sequence[Member], held: Iterable[Held]) -> list[Gift]:
    """To whom each of one's clusters goes when one leaves: dealt out as if nobody led them."""
    left = [member for member in members if member.holder != me]
    free = [Held(one.cluster, "" if one.holder == me else one.holder) for one in held]
    mine = {one.cluster for one in held if one.holder == me}
    return [
        Gift(cluster, member.holder)
        for member in left
        for cluster in dealt(member.holder, left, free)
        if cluster in mine
    ]


def weight(cluster: str, member: Member) -> int:
    """How much a cluster belongs to an address."""
    digest = hashlib.blake2b(f"{cluster}\0{member.address}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)
