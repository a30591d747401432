"""Instances that are kept for a task which waits: what it needs is reserved there before it is free, so that what is released gathers.

Pure but for the snapshot it changes. Who is kept for, and from when on, is decided in `waitlist`; docs/design/waiting.md, "The order".
"""

import numpy as np

from longshore.scheduler import bits, candidates, placement, refusals, shapes, snapshot

OVERTAKINGS = 64
"""Tasks that may go past the head of the queue before an instance is kept for it; and before each doubling of these."""

PATIENCE_S = 30.0
"""The same by time, from the first overtaking on: where little happens, 64 overtakings would take hours."""


def instances_due(overtaken: int, since_first_s: float) -> int:
    """How many instances are to be kept for a head that was overtaken so often, the first time so long ago."""
    if not overtaken:
        return 0
    steps = max(overtaken // OVERTAKINGS, int(since_first_s / PATIENCE_S))
    return 1 << min(steps - 1, 30) if steps else 0


def suitable(base: snapshot.Snapshot, request: placement.Request) -> snapshot.Bools:
    """Per row, whether it would take the task were it empty: what tasks hold there is not looked at."""
    needs, shape = request.needs, request.shape
    mask = base.open & (base.cpu >= needs.cpu) & (base.memory >= needs.memory)
    if needs.attributes or shape.static:
        sets = candidates.of(base)
        alone = shapes.of(needs, "", False, shape.static, ())
        mask &= bits.to_array(sets.having(needs.attributes) & sets.member(alone), len(mask))
    if needs.ports or needs.resources:
        for row in np.flatnonzero(mask).tolist():
            mask[row] = _offers(base, row, request)
    return mask


def fits(base: snapshot.Snapshot, row: int, request: placement.Request) -> bool:
    """Whether a row takes one task now. For single rows, now and then: nothing is kept of it."""
    needs = request.needs
    return (
        bool(base.open[row])
        and base.cpu_at[row] >= needs.cpu
        and base.memory_at[row] >= needs.memory
        and not refusals.misses(base, row, request)
    )


def _offers(base: snapshot.Snapshot, row: int, request: placement.Request) -> bool:
    fact = base.facts[row]
    if fact is None or not fact.reserved_ports.isdisjoint(request.needs.ports):
        return False
    for name, count in request.needs.resources:
        offer = fact.offers.get(name, 0)
        if (offer if isinstance(offer, int) else len(offer)) < count:
            return False
    return True


class Keeper:
    """The instances that are kept now, all for one request."""

    def __init__(self, base: snapshot.Snapshot) -> None:
        self._base = base
        self._request: placement.Request | None = None
        self._rows: dict[int, None] = {}

    @property
    def rows(self) -> "dict[int, None]":
        """The rows that are kept."""
        return self._rows

    def keep(self, request: placement.Request, mask: snapshot.Bools, count: int) -> None:
        """Keep so many of the rows of a mask for a request, those that are kept already first, then the nearest."""
        if request is not self._request:
            self.drop()
            self._request = request
        for row in [row for row in self._rows if not mask[row]]:
            self._move(row, -1)
            del self._rows[row]
        if len(self._rows) >= count:
            return
        for row in _nearest(self._base, request, mask):
            if row not in self._rows:
                self._move(row, 1)
                self._rows[row] = None
                if len(self._rows) >= count:
                    return

    def drop(self) -> None:
        """Keep nothing any more."""
        for row in self._rows:
            self._move(row, -1)
        self._rows.clear()
        self._request = None

    def fits(self, row: int) -> bool:
        """Whether the request that a row is kept for fits there by now."""
        if self._request is None or row not in self._rows:
            return False
        self._move(row, -1)
        fitting = fits(self._base, row, self._request)
        self._move(row, 1)
        return fitting

    def lifted(self) -> "Lifted":
        """A block within which what is kept counts as free: the request it is kept for is decided in it."""
        return Lifted(self)

    def move_all(self, sign: int) -> None:
        """Reserve in all rows that are kept, or give back there."""
        for row in self._rows:
            self._move(row, sign)

    def _move(self, row: int, sign: int) -> None:
        if self._request is not None:
            self._base.move(row, _load(self._request), sign)


class Lifted:
    """Gives back on the way in, reserves on the way out."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def __enter__(self) -> None:
        """What is kept is free."""
        self._keeper.move_all(-1)

    def __exit__(self, *_: object) -> None:
        """It is reserved again."""
        self._keeper.move_all(1)


def _load(request: placement.Request) -> snapshot.Load:
    """What one task needs. It counts as one of its group only where a second one could take its place."""
    needs = request.needs
    return snapshot.Load(
        needs.cpu, needs.memory, needs.ports, request.group, tasks=int(request.distinct), named=needs.resources
    )


def _nearest(base: snapshot.Snapshot, request: placement.Request, mask: snapshot.Bools) -> list[int]:
    """The rows of a mask, those that lack least first."""
    rows = np.flatnonzero(mask)
    needs = request.needs
    short = np.maximum(0, needs.cpu - base.cpu_free[rows]) / max(1, needs.cpu)
    short += np.maximum(0, needs.memory - base.memory_free[rows]) / max(1, needs.memory)
    nearest: list[int] = rows[np.argsort(short, kind="stable")].tolist()
    return nearest
