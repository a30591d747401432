"""Which rows pass the tests that do not change with tasks: required attributes, and expressions about the instance itself.

A mask is made once and kept true row by row: a change of an instance touches those alone that depend on what has changed.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from longshore.query import evaluation
from longshore.scheduler import instances, requirements

_KEPT = 1024
"""Masks that are kept, the most recently used ones, beside those that an index uses."""

Key: TypeAlias = tuple[tuple[requirements.Attribute, ...], tuple[str, ...]]
"""Attributes that are required, and expressions that must hold."""


@dataclass(slots=True, eq=False)
class Mask:
    """Per row, whether it passes. `users` are told of a row that passes from now on."""

    attributes: tuple[requirements.Attribute, ...]
    queries: tuple[evaluation.Query, ...]
    bits: NDArray[np.bool_]
    at: memoryview = field(init=False)
    users: list[Callable[[int], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.at = memoryview(self.bits)  # type: ignore[arg-type] # numpy's booleans have a buffer

    def passes(self, fact: instances.Instance) -> bool:
        """Whether an instance passes."""
        return not fact.lacks(self.attributes) and all(query.holds(fact, evaluation.IDLE) for query in self.queries)

    def depends(self, names: frozenset[str], *, others: bool) -> bool:
        """Whether it may change where attributes of these names do, or anything else of an instance."""
        return any(one.name in names for one in self.attributes) or any(
            not query.attributes.isdisjoint(names) or (others and query.others) for query in self.queries
        )


class Masks:
    """The masks over the rows of one snapshot."""

    def __init__(self, facts: Sequence[instances.Instance | None]) -> None:
        self.capacity = 0
        self._facts = facts
        self._kept: OrderedDict[Key, Mask] = OrderedDict()

    def get(self, attributes: tuple[requirements.Attribute, ...], expressions: tuple[str, ...] = ()) -> Mask:
        """The mask of these attributes and expressions; one that asks for tasks is answered as if there were none."""
        key = (attributes, expressions)
        mask = self._kept.get(key)
        if mask is not None:
            self._kept.move_to_end(key)
            return mask
        queries = tuple(evaluation.compiled(expression) for expression in expressions)
        mask = Mask(attributes, queries, np.zeros(self.capacity, np.bool_))
        for row, fact in enumerate(self._facts):
            mask.bits[row] = fact is not None and mask.passes(fact)
        self._kept[key] = mask
        if len(self._kept) > _KEPT:
            self._drop()
        return mask

    def apply(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """An instance has changed."""
        names = changed_names(before, fact)
        others = before is None or fact.identity != before.identity
        if not names and not others:
            return
        for mask in self._kept.values():
            if before is not None and not mask.depends(names, others=others):
                continue
            passes = mask.passes(fact)
            rises = passes and not mask.at[row]
            mask.at[row] = passes
            if rises:
                for told in mask.users:
                    told(row)

    def clear(self) -> None:
        """Forget all: the arrays are of another size now."""
        self._kept.clear()

    def _drop(self) -> None:
        """Forget the one that was not used for longest, among those that no index uses."""
        for key, mask in self._kept.items():
            if not mask.users:
                del self._kept[key]
                return


def changed_names(before: instances.Instance | None, fact: instances.Instance) -> frozenset[str]:
    """The attributes that have come, gone or changed their values."""
    if before is None:
        return frozenset(fact.attributes)
    if before.attributes == fact.attributes:
        return frozenset()
    return frozenset(
        name
        for name in before.attributes.keys() | fact.attributes.keys()
        if before.attributes.get(name) != fact.attributes.get(name)
    )
