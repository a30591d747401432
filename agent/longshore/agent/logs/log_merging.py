"""Readings of several containers, merged by time. Each is read on when what was read of it has been taken."""

import heapq
from collections.abc import AsyncGenerator, Sequence

from longshore.agent import log_frames

BATCH_ENTRIES = 2_000
"""Entries after which a batch goes out: some ten kilobytes to some megabytes are the same to the reader."""
BATCH_BYTES = 128 * 1024

Entries = Sequence[log_frames.Entry]
Batch = tuple[str, Entries]
Reading = AsyncGenerator[Entries, None]


async def merged(readings: Sequence[tuple[str, Reading]]) -> AsyncGenerator[list[Batch], None]:
    """Batches of entries by container, in the order of their times; of one container in the order of its log."""
    if len(readings) == 1:
        name, only = readings[0]
        async for entries in only:
            yield [(name, entries)]
        return
    heads: list[tuple[bytes, int]] = []
    pending: dict[int, list[log_frames.Entry]] = {}
    for number in range(len(readings)):
        await _fill(readings, pending, heads, number)
    batch: list[tuple[int, list[log_frames.Entry]]] = []
    count = size = 0
    while heads:
        _, number = heapq.heappop(heads)
        entry = pending[number].pop()
        if not batch or batch[-1][0] != number:
            batch.append((number, []))
        batch[-1][1].append(entry)
        count, size = count + 1, size + len(entry[2])
        if count >= BATCH_ENTRIES or size >= BATCH_BYTES:
            yield [(readings[number][0], entries) for number, entries in batch]
            batch, count, size = [], 0, 0
        if pending[number]:
            heapq.heappush(heads, (pending[number][-1][1], number))
        else:
            await _fill(readings, pending, heads, number)
    if batch:
        yield [(readings[number][0], entries) for number, entries in batch]


async def _fill(
    readings: Sequence[tuple[str, Reading]],
    pending: dict[int, list[log_frames.Entry]],
    heads: list[tuple[bytes, int]],
    number: int,
) -> None:
    """Read on in one of them; nothing where it has ended."""
    entries = await anext(readings[number][1], None)
    if entries:
        pending[number] = list(reversed(entries))
        heapq.heappush(heads, (entries[0][1], number))
