"""Which rows pass a test that does not change with tasks: a required attribute, or an expression about the instance itself. Pure.

A mask is made once and kept true row by row: a change of an instance touches those alone that depend on what has changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from longshore.query import evaluation
from longshore.scheduler import bits, instances, requirements


class Mask:
    """The rows that pass."""

    __slots__ = ("passes", "rows")

    def __init__(self, passes: Callable[[instances.Instance], object], rows: int) -> None:
        self.passes = passes
        self.rows = rows

    def look(self, row: int, fact: instances.Instance) -> None:
        """Take in a row that may have changed."""
        if bool(self.passes(fact)) != bool(self.rows >> row & 1):
            self.rows ^= 1 << row


class Masks:
    """The masks over the rows of one snapshot."""

    def __init__(self, facts: Sequence[instances.Instance | None]) -> None:
        self._facts = facts
        self._kept: dict[requirements.Attribute | str, Mask] = {}
        self._by_name: dict[str, list[Mask]] = {}
        self._others: list[Mask] = []

    def attribute(self, required: requirements.Attribute) -> Mask:
        """The rows that have a required attribute."""
        mask = self._kept.get(required)
        if mask is None:
            mask = self._made(required, lambda fact: not fact.lacks((required,)))
            self._by_name.setdefault(required.name, []).append(mask)
        return mask

    def expression(self, text: str) -> Mask:
        """The rows for which an expression holds that asks for the instance alone."""
        mask = self._kept.get(text)
        if mask is None:
            query = evaluation.compiled(text)
            mask = self._made(text, lambda fact: query.holds(fact, evaluation.IDLE))
            for name in query.attributes:
                self._by_name.setdefault(name, []).append(mask)
            if query.others:
                self._others.append(mask)
        return mask

    def apply(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """An instance has changed."""
        if before is None:
            for mask in self._kept.values():
                mask.look(row, fact)
            return
        if before.attributes != fact.attributes:
            for name in changed_names(before.attributes, fact.attributes):
                for mask in self._by_name.get(name, ()):
                    mask.look(row, fact)
        if self._others and before.identity != fact.identity:
            for mask in self._others:
                mask.look(row, fact)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._by_name.clear()
        self._others.clear()

    def _made(self, key: requirements.Attribute | str, passes: Callable[[instances.Instance], object]) -> Mask:
        rows = bits.of(row for row, fact in enumerate(self._facts) if fact is not None and passes(fact))
        mask = self._kept[key] = Mask(passes, rows)
        return mask


def changed_names(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """The attributes that have come, gone or changed their values."""
    for name, value in after.items():
        if before.get(name) != value:
            yield name
    for name in before:
        if name not in after:
            yield name
