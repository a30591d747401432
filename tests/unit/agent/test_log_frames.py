import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent import log_frames

STAMP = b"2026-11-28T23:22:06.743717877Z"
Splitter = log_frames.Framed | log_frames.Unmuxed


def framed(stream: int, data: bytes, stamp: bytes = STAMP) -> bytes:
    text = stamp + b" " + data
    return struct.pack(">B3xI", stream, len(text)) + text


def fed(splitter: Splitter, data: bytes, cuts: list[int]) -> list[log_frames.Entry]:
    """What comes out when the data comes in pieces."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    return [entry for piece in pieces for entry in splitter.feed(piece)] + splitter.finish()


CUTS = st.lists(st.integers(0, 10_000), max_size=6)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=60)), max_size=8), CUTS)
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(framed(stream, text) for stream, text in sent)
    assert fed(log_frames.Framed(), data, cuts) == [(stream, STAMP, text) for stream, text in sent]


LINES = st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"") + b"\n")
PARTS = st.just(b"x" * log_frames.PART_BYTES)


@given(st.lists(st.one_of(LINES, PARTS), max_size=5), st.sampled_from([b"", b"no end"]), CUTS)
def test_a_terminal_s_lines_come_out_too_long_ones_and_the_unfinished_last(
    lines: list[bytes], last: bytes, cuts: list[int]
) -> None:
    sent = [*lines, *([last] if last else [])]
    data = b"".join(STAMP + b" " + line for line in sent)
    assert fed(log_frames.Unmuxed(), data, cuts) == [(1, STAMP, line) for line in sent]


@pytest.mark.parametrize(
    ("stamp", "utc"),
    [
        (b"2026-11-29T00:22:06.743717877+01:00", STAMP),
        (b"2026-11-28T23:22:06.7Z", b"2026-11-28T23:22:06.700000000Z"),
        (b"2026-11-28T23:22:06Z", b"2026-11-28T23:22:06.000000000Z"),
        (b"2026-11-28T20:22:06-03:00", b"2026-11-28T23:22:06.000000000Z"),
    ],
)
def test_times_of_other_zones_and_lengths_are_taken(stamp: bytes, utc: bytes) -> None:
    assert log_frames.Framed().feed(framed(2, b"a b\n", stamp)) == [(2, utc, b"a b\n")]


def test_what_has_no_time_is_no_entry() -> None:
    with pytest.raises(log_frames.Unframed, match="does not begin with a time"):
        log_frames.Framed().feed(struct.pack(">B3xI", 1, 5) + b"hello")


def test_a_frame_that_broke_off_is_left_for_the_next_reading() -> None:
    splitter = log_frames.Framed()
    assert splitter.feed(framed(1, b"whole\n") + framed(1, b"broken")[:-1]) == [(1, STAMP, b"whole\n")]
    assert splitter.finish() == []
