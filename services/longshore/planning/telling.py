"""A plan as a table for people and as JSON for programs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from longshore.planning import asked, sizing


def as_json(kinds: Sequence[asked.Kind], fit: sizing.Fit, needed: Sequence[sizing.Needed]) -> dict[str, Any]:
    """All of it."""
    return {
        "counted": _fit_json(kinds, fit) if fit.counts else None,
        "needed": [
            {"kind": one.kind, "count": one.count, "atLeast": one.at_least, "plan": _fit_json(kinds, one.fit)}
            for one in needed
        ],
    }


def _fit_json(kinds: Sequence[asked.Kind], fit: sizing.Fit) -> dict[str, Any]:
    return {
        "instances": [
            {
                "kind": kind.name,
                "count": fit.counts[kind.name],
                "used": fit.used.get(kind.name, 0),
                "placed": _of_kind(kind.name, fit.placed),
            }
            for kind in kinds
            if kind.name in fit.counts
        ],
        "unplaced": [
            {
                "definition": one.name,
                "count": one.count,
                "reasons": [{"kind": kind, "reason": reason, "detail": detail} for kind, reason, detail in one.reasons],
            }
            for one in fit.unplaced
        ],
    }


def lines(kinds: Sequence[asked.Kind], fit: sizing.Fit, needed: Sequence[sizing.Needed]) -> Iterator[str]:
    """For people."""
    if fit.counts:
        yield "On the instances that are counted:"
        yield from _fit_lines(kinds, fit)
    for one in needed:
        if one.count is None:
            yield f"No number of {one.kind} takes it all:"
        else:
            yield f"{one.count} {one.kind} take it all (by sums alone at least {one.at_least}):"
        yield from _fit_lines(kinds, one.fit)


def _fit_lines(kinds: Sequence[asked.Kind], fit: sizing.Fit) -> Iterator[str]:
    for kind in kinds:
        if kind.name in fit.counts:
            placed = ", ".join(f"{count} {name}" for name, count in sorted(_of_kind(kind.name, fit.placed).items()))
            used = f"{fit.used.get(kind.name, 0)} of {fit.counts[kind.name]} used"
            yield f"  {kind.name:<16} {used:<20} {placed or 'nothing'}"
    for one in fit.unplaced:
        yield f"  not placed       {one.count} {one.name}"
        yield from (f"    {where}: {reason}: {detail}" for where, reason, detail in one.reasons)
        if not one.reasons:
            yield "    there is no instance"


def _of_kind(kind: str, placed: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {name: count for (where, name), count in placed.items() if where == kind}
