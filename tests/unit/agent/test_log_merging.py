from collections.abc import AsyncGenerator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from longshore.agent import log_frames
from longshore.agent.logs import log_merging

Entries = list[log_frames.Entry]


def stamp(second: int) -> bytes:
    return b"2026-11-28T23:%02d:%02d.000000000Z" % divmod(second, 60)


async def read(batches: Sequence[Entries]) -> AsyncGenerator[Sequence[log_frames.Entry], None]:
    for batch in batches:
        yield batch


async def merged(*logs: Sequence[Entries]) -> list[tuple[str, log_frames.Entry]]:
    readings = [(f"c{number}", read(batches)) for number, batches in enumerate(logs)]
    return [
        (name, entry) async for batch in log_merging.merged(readings) for name, entries in batch for entry in entries
    ]


@st.composite
def logs(draw: st.DrawFn) -> list[Entries]:
    """A container's log in batches, its times in order."""
    seconds = sorted(draw(st.lists(st.integers(0, 1000), max_size=12)))
    entries = [(1, stamp(second), b"%d" % number) for number, second in enumerate(seconds)]
    size = draw(st.integers(1, 5))
    return [entries[start : start + size] for start in range(0, len(entries), size)]


@given(st.lists(logs(), max_size=4))
async def test_everything_comes_in_the_order_of_time_and_each_log_in_its_own(made: list[list[Entries]]) -> None:
    found = await merged(*made)
    assert [entry[1] for _, entry in found] == sorted(entry[1] for log in made for batch in log for entry in batch)
    for number, log in enumerate(made):
        assert [entry for name, entry in found if name == f"c{number}"] == [entry for batch in log for entry in batch]


async def test_a_log_out_of_order_stays_in_its_own_order() -> None:
    late: Entries = [(1, stamp(5), b"a"), (2, stamp(4), b"b")]
    found = await merged([late], [[(1, stamp(6), b"x")]])
    assert [entry[2] for _, entry in found] == [b"a", b"b", b"x"]


async def test_batches_are_bounded() -> None:
    many: Entries = [(1, stamp(n % 3000), b"x") for n in range(3 * log_merging.BATCH_ENTRIES)]
    readings = [("a", read([sorted(many)])), ("b", read([[(1, stamp(0), b"y")]]))]
    sizes = [sum(len(entries) for _, entries in batch) async for batch in log_merging.merged(readings)]
    assert max(sizes) == log_merging.BATCH_ENTRIES
    assert sum(sizes) == len(many) + 1
