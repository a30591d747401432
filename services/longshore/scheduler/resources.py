"""Resources that an instance offers by name beside CPU, memory and ports: counted ones, and ones with ids, such as GPUs. Pure.

What is asked for belongs to a container, what is reserved to an instance. An id is given to one task at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from longshore.storage import held

Offer: TypeAlias = int | tuple[str, ...]
"""How much of a resource an instance has, or which ids, in the order in which they are given out."""


GPU = "GPU"
"""The name of GPUs, as a resource of an instance and as a container's requirement."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a resource for one container."""

    container: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Given:
    """What a container was given: ids, or none where the resource is only counted."""

    container: str
    name: str
    count: int
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Used:
    """What tasks hold of one resource of one instance. Counts may pass below zero while changes come out of order."""

    count: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def add(self, amount: held.Amount, sign: int) -> None:
        """Take, or with a sign of -1 give back."""
        if isinstance(amount, int):
            self.count += sign * amount
            return
        for one in amount:
            self.ids[one] = self.ids.get(one, 0) + sign
            if not self.ids[one]:
                del self.ids[one]

    @property
    def nothing(self) -> bool:
        """Whether nothing is held."""
        return not self.count and not self.ids

    def key(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        """The same as a value that can be compared."""
        return self.count, tuple(sorted(self.ids.items()))


NOTHING = Used()


def free(offer: Offer, used: Used) -> int:
    """How many are free; below zero where more is held than the instance has now."""
    if isinstance(offer, int):
        return offer - used.count - len(used.ids)
    return sum(1 for one in offer if used.ids.get(one, 0) <= 0) - used.count


def free_ids(offer: Offer, used: Used) -> tuple[str, ...]:
    """The ids that are free; none where the resource is counted."""
    return () if isinstance(offer, int) else tuple(one for one in offer if used.ids.get(one, 0) <= 0)


def give(shares: Iterable[Share], offers: Mapping[str, Offer], used: Mapping[str, Used]) -> tuple[Given, ...]:
    """Deal what is free to the containers that ask, the first ids to the first. There must be enough."""
    left: dict[str, Sequence[str]] = {}
    given: list[Given] = []
    for share in shares:
        ids = left.get(share.name)
        if ids is None:
            ids = free_ids(offers.get(share.name, 0), used.get(share.name, NOTHING))
        given.append(Given(share.container, share.name, share.count, tuple(ids[: share.count])))
        left[share.name] = ids[share.count :]
    return tuple(given)


def amounts(given: Iterable[Given]) -> held.Resources:
    """What a task holds together."""
    return held.of((one.name, one.ids or one.count) for one in given)
