"""Placement strategies: spread and binpack as ECS chains them, each keeping the best of what the one before left. Pure.

The last word is a random draw, so an empty chain is the strategy `random`.
"""

import enum
import random as random_module
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from longshore.scheduler import snapshot

HOST_FIELDS = frozenset({"instanceid", "host"})
ATTRIBUTE_PREFIX = "attribute:"


class Kind(enum.Enum):
    """How to rank what fits."""

    RANDOM = "random"
    SPREAD = "spread"
    BINPACK = "binpack"


@dataclass(frozen=True, slots=True)
class Strategy:
    """One link of the chain. `field`: empty for random; `instanceId` or `attribute:<name>` for spread; `cpu` or `memory` for binpack."""

    kind: Kind
    field: str = ""


class Room(Protocol):
    """What ranking reads of a trial."""

    base: snapshot.Snapshot
    cpu_free: snapshot.Ints
    memory_free: snapshot.Ints

    def group(self, name: str) -> snapshot.Ints:
        """Per row, how many tasks of a group it holds."""


def fault(kind: Kind, field: str) -> str | None:
    """What is wrong with a strategy's field, as a sentence."""
    if kind is Kind.RANDOM:
        return f"The placement strategy random takes no field, not '{field}'." if field else None
    if kind is Kind.BINPACK:
        return (
            None
            if field.lower() in {"cpu", "memory"}
            else f"The field of binpack must be cpu or memory, not '{field}'."
        )
    if field.lower() in HOST_FIELDS or (field.startswith(ATTRIBUTE_PREFIX) and field != ATTRIBUTE_PREFIX):
        return None
    return f"The field of spread must be instanceId or attribute:<name>, not '{field}'."


def choose(
    room: Room, rows: snapshot.Ints, group: str, chain: tuple[Strategy, ...], random: random_module.Random
) -> int | None:
    """One of the rows, the best by the chain; None where there are none."""
    if not len(rows):
        return None
    for strategy in chain:
        if len(rows) == 1:
            break
        if strategy.kind is not Kind.RANDOM:
            ranks = _ranks(room, group, strategy)[rows]
            rows = rows[ranks == ranks.min()]
    return int(rows[random.randrange(len(rows))])


def _ranks(room: Room, group: str, strategy: Strategy) -> snapshot.Ints:
    """Per row, the smaller the better."""
    if strategy.kind is Kind.BINPACK:
        return room.cpu_free if strategy.field.lower() == "cpu" else room.memory_free
    counts = room.group(group)
    if strategy.field.lower() in HOST_FIELDS:
        return counts
    # Instances without the attribute are one bucket of their own, so codes are moved up by one to count them.
    codes = room.base.column(strategy.field.removeprefix(ATTRIBUTE_PREFIX)) + 1
    return np.bincount(codes, weights=counts).astype(np.int64)[codes]
