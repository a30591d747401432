"""What a task holds of the resources that an instance offers by name: GPUs and the like. Pure.

Some are counted (`license`: 3), some are named one by one (`GPU`: ids). The text form is the column `task_intents.resources`: JSON, by the
name of the resource the ids that were taken, or how many.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Amount: TypeAlias = int | tuple[str, ...]
"""How many, or which."""

Resources: TypeAlias = tuple[tuple[str, Amount], ...]
"""Amounts by the names of their resources, in the order of these."""


def of(amounts: Iterable[tuple[str, Amount]]) -> Resources:
    """The sum of amounts; those of one resource are all of a kind."""
    total: dict[str, Amount] = {}
    for name, amount in amounts:
        before = total.get(name)
        if isinstance(amount, int):
            total[name] = amount + (before if isinstance(before, int) else 0)
        else:
            total[name] = (*before, *amount) if isinstance(before, tuple) else amount
    return tuple(sorted(total.items()))


def to_column(resources: Resources) -> str | None:
    """The column's value; None where there are none."""
    return json.dumps(dict(resources), separators=(",", ":"), sort_keys=True) if resources else None


def from_column(text: str | None) -> Resources:
    """The resources of the column's value."""
    if not text:
        return ()
    read: Mapping[str, int | list[str]] = json.loads(text)
    return tuple((name, amount if isinstance(amount, int) else tuple(amount)) for name, amount in sorted(read.items()))
