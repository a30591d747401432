from hypothesis import given
from hypothesis import strategies as st

from longshore.agent import log_frames
from longshore.agent.logs import log_tails

STAMP = b"2026-11-28T23:22:06.743717877Z"


def lines(*texts: bytes) -> list[log_frames.Entry]:
    return [(1 + number % 2, STAMP, text) for number, text in enumerate(texts)]


def test_a_short_log_is_told_whole() -> None:
    tail = log_tails.tail_of("t", "c", lines(b"a\n", b"b"))
    assert [(line.stream, line.data, line.cut) for line in tail.lines] == [(1, b"a\n", False), (2, b"b", False)]
    assert tail.whole
    assert tail.lines[0].time.nanos == 743717877


def test_of_a_long_log_the_last_lines_are_told() -> None:
    tail = log_tails.tail_of("t", "c", lines(*(b"%d\n" % n for n in range(65))))
    assert [line.data for line in tail.lines] == [b"%d\n" % n for n in range(1, 65)]
    assert not tail.whole


def test_long_lines_are_cut_and_still_end() -> None:
    (line,) = log_tails.tail_of("t", "c", lines(b"x" * 5000 + b"\n")).lines
    assert (line.cut, len(line.data), line.data[-2:]) == (True, log_tails.MAX_LINE_BYTES, b"x\n")


@given(st.lists(st.binary(max_size=3000), max_size=80))
def test_it_is_never_more_than_its_bounds(texts: list[bytes]) -> None:
    tail = log_tails.tail_of("t", "c", lines(*texts))
    assert len(tail.lines) <= log_tails.MAX_LINES
    assert sum(len(line.data) for line in tail.lines) <= log_tails.MAX_BYTES
    assert all(len(line.data) <= log_tails.MAX_LINE_BYTES for line in tail.lines)
    assert tail.whole == (len(tail.lines) == len(texts))
