"""Many tasks of one shape at once: the same choices as one by one, made over arrays. Pure but for the snapshot it changes.

How many tasks each row takes is worked out whole; only where a chain's last link would have to be asked again for each task does it go
one by one (None). Order among the tasks of one request means nothing: they are all alike.
"""

import numpy as np

from longshore.scheduler import bits, candidates, shapes, snapshot

LEAST = 64
"""Tasks from which on arrays are quicker than one decision after the other."""

_OVERDRAWN = 1.25


def plan(
    base: snapshot.Snapshot, shape: shapes.Shape, count: int, source: np.random.Generator
) -> tuple[snapshot.Ints, snapshot.Ints] | None:
    """Rows and how many tasks each takes; together fewer than asked where there is no more room. None: go one by one."""
    if shape.needs.shares or shape.dynamic or len(shape.chain) > 1:
        return None
    sets = candidates.of(base)
    rows = bits.indices(sets.rows(shape))
    room = _room(base, shape, rows, count)
    if not shape.chain:
        taken = _random(room, count, source)
    elif shape.chain[0].hosts:
        taken = _even(sets.levels(shape.group).of_rows(len(base))[rows], room, count, source)
    elif shape.chain[0].attribute:
        return None
    else:
        packed = shape.chain[0].packed
        if not (shape.needs.cpu if packed == "cpu" else shape.needs.memory):
            return None
        left = base.cpu_free if packed == "cpu" else base.memory_free
        taken = _filled(left[rows], room, count, source)
    chosen = taken > 0
    return rows[chosen], taken[chosen]


def _room(base: snapshot.Snapshot, shape: shapes.Shape, rows: snapshot.Ints, count: int) -> snapshot.Ints:
    """How many tasks each of the rows takes, no more than are asked for."""
    if shape.once:
        return np.ones(len(rows), np.int64)
    room = np.full(len(rows), count, np.int64)
    if shape.needs.cpu:
        room = np.minimum(room, base.cpu_free[rows] // shape.needs.cpu)
    if shape.needs.memory:
        room = np.minimum(room, base.memory_free[rows] // shape.needs.memory)
    return room


def _random(room: snapshot.Ints, count: int, source: np.random.Generator) -> snapshot.Ints:
    """Each task to one of the rows that still have room, all with the same chance."""
    taken = np.zeros(len(room), np.int64)
    left = min(count, int(room.sum()))
    while left:
        open_rows = np.flatnonzero(room > taken)
        draws = open_rows[source.integers(0, len(open_rows), int(left * _OVERDRAWN) + 16)]
        # A draw counts while its row has room: the n-th of the same row needs room for n. Draws in order, so cut at the last needed.
        order = np.argsort(draws, kind="stable")
        ordered = draws[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        nth = np.empty(len(draws), np.int64)
        nth[order] = np.arange(len(draws)) - np.repeat(starts, np.diff(np.r_[starts, len(draws)]))
        counts = draws[nth < (room - taken)[draws]][:left]
        taken += np.bincount(counts, minlength=len(room))
        left -= len(counts)
    return taken


def _even(held: snapshot.Ints, room: snapshot.Ints, count: int, source: np.random.Generator) -> snapshot.Ints:
    """Each task to a row that holds fewest: whole steps of the lowest level, and what is left over by lot."""
    taken = np.zeros(len(room), np.int64)
    left = min(count, int(room.sum()))
    level = held.copy()
    while left:
        open_rows = np.flatnonzero(room > taken)
        lowest = level[open_rows].min()
        at = open_rows[level[open_rows] == lowest]
        above = level[open_rows][level[open_rows] > lowest]
        steps = int(
            min((room - taken)[at].min(), above.min() - lowest if len(above) else left, max(1, left // len(at)))
        )
        if steps * len(at) > left:
            at = source.permutation(at)[:left]
            steps = 1
        taken[at] += steps
        level[at] += steps
        left -= steps * len(at)
    return taken


def _filled(left_over: snapshot.Ints, room: snapshot.Ints, count: int, source: np.random.Generator) -> snapshot.Ints:
    """Row after row filled up, the one with least left first; equal ones in a random order."""
    order = np.lexsort((source.random(len(room)), left_over))
    before = np.cumsum(room[order]) - room[order]
    taken = np.zeros(len(room), np.int64)
    taken[order] = np.clip(count - before, 0, room[order])
    return taken
