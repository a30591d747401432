"""Placement strategies as ECS chains them: each ranks what the one before left equal; the last word is a random draw. Pure.

`spread` counts the tasks of the request's group in the bucket of an instance: the instance itself, or all instances of the cluster with
the same value of the attribute, and of the attributes that were spread over before it in the chain. `binpack` prefers the instance with
least left of CPU or memory.
"""

import enum
from dataclasses import dataclass

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
