"""Placement strategies as ECS chains them: each ranks what the one before left equal; the last word is a random draw. Pure.

`spread` counts the tasks of the request's group in the bucket of an instance: the instance itself, or all instances of the cluster with
the same value of the attribute, and of the attributes that were spread over before it in the chain. `binpack` prefers the instance with
least left of CPU or memory.
"""

import enum
import random as random_module
from dataclasses import dataclass

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

    @property
    def attribute(self) -> str:
        """The attribute that is spread over; empty where it is none."""
        is_attribute = self.kind is Kind.SPREAD and self.field.startswith(ATTRIBUTE_PREFIX)
        return self.field.removeprefix(ATTRIBUTE_PREFIX) if is_attribute else ""

    @property
    def hosts(self) -> bool:
        """Whether it spreads over instances."""
        return self.kind is Kind.SPREAD and not self.attribute

    @property
    def packed(self) -> str:
        """`cpu` or `memory`, what is packed by; empty where nothing is."""
        return self.field.lower() if self.kind is Kind.BINPACK else ""


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


def effective(chain: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
    """The links that rank: those before the first `random`, which leaves nothing to the ones after it."""
    kept: list[Strategy] = []
    for strategy in chain:
        if strategy.kind is Kind.RANDOM:
            break
        kept.append(strategy)
    return tuple(kept)


def best(base: snapshot.Snapshot, rows: snapshot.Ints, group: str, chain: tuple[Strategy, ...]) -> snapshot.Ints:
    """Those of the rows that rank first by the whole chain. Looks at all of them: what no index serves."""
    buckets: tuple[str, ...] = ()
    for strategy in effective(chain):
        if len(rows) < 2:
            break
        if strategy.attribute:
            buckets = (*buckets, strategy.attribute)
        ranks = _ranks(base, group, strategy, buckets)[rows]
        rows = rows[ranks == ranks.min()]
    return rows


def choose(
    base: snapshot.Snapshot,
    rows: snapshot.Ints,
    group: str,
    chain: tuple[Strategy, ...],
    random: random_module.Random,
) -> int | None:
    """One of the rows, the best by the chain; None where there are none."""
    if not len(rows):
        return None
    rows = best(base, rows, group, chain)
    return int(rows[random.randrange(len(rows))])


def _ranks(base: snapshot.Snapshot, group: str, strategy: Strategy, buckets: tuple[str, ...]) -> snapshot.Ints:
    """Per row, the smaller the better."""
    if strategy.packed:
        return base.cpu_free if strategy.packed == "cpu" else base.memory_free
    counts = base.group(group)
    if strategy.hosts:
        return counts
    codes = base.columns.get(buckets).codes
    return np.bincount(codes, weights=counts).astype(np.int64)[codes]
