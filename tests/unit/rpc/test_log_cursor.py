import base64

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import errors, log_cursor
from longshore.v1 import log_pb2

A = b"2026-11-28T23:22:06.743717877Z"
B = b"2026-11-28T23:22:06.743717878Z"
LATER = b"2026-11-28T23:22:26.743717878Z"


def test_entries_with_one_time_are_counted() -> None:
    cursor = log_cursor.Cursor()
    assert cursor.position("c", 1) == (b"", 0)
    cursor.advance("c", 1, A, 2)
    cursor.advance("c", 1, A, 1)
    cursor.advance("c", 2, B, 4)
    assert (cursor.position("c", 1), cursor.position("c", 2)) == ((A, 3), (B, 4))
    cursor.advance("c", 1, B, 1)
    assert cursor.position("c", 1) == (B, 1)


def test_a_cursor_survives_its_text() -> None:
    cursor = log_cursor.Cursor()
    cursor.advance("c", 1, A, 2)
    cursor.advance("ö", 2, B, 1)
    assert log_cursor.decode(cursor.encode()).positions == cursor.positions
    assert log_cursor.decode("").positions == {}


@pytest.mark.parametrize("text", ["x", "????", "aGVsbG8=", "CgEx"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match="cursor"):
        log_cursor.decode(text)


@pytest.mark.parametrize(
    ("time", "entries"),
    [
        ("2026-99-28T23:22:06.743717877Z", 1),
        ("0000-01-01T00:00:00.000000000Z", 1),
        ("2026-11-28T23:22:61.743717877Z", 1),
        (A.decode(), 2**31 - 1),  # one more would fit into no message
        (A.decode(), 0),
        (A.decode(), -1),
    ],
)
def test_a_position_at_which_nobody_can_stand_is_refused(time: str, entries: int) -> None:
    made = log_pb2.LogCursor()
    made.positions.add(container="c", stream=log_pb2.LOG_STREAM_STDOUT, time=time, entries=entries)
    with pytest.raises(errors.InvalidParameterException, match="cursor"):
        log_cursor.decode(base64.urlsafe_b64encode(made.SerializeToString()).decode())


def test_a_cursor_is_as_long_as_a_task_s_can_be_and_no_longer() -> None:
    cursor = log_cursor.Cursor()
    for number in range(10):
        for stream in (1, 2):
            cursor.advance(f"{number}" + "c" * 254, stream, A, 2**29)
    text = cursor.encode()
    assert log_cursor.decode(text).positions == cursor.positions
    with pytest.raises(errors.InvalidParameterException, match="cursor"):
        log_cursor.decode(text * 3)


def test_reading_begins_where_nothing_is_missed_and_not_at_the_beginning_for_a_silent_stream() -> None:
    cursor = log_cursor.Cursor()
    assert cursor.since_ns("c") == 0
    cursor.advance("c", 1, LATER, 1)
    assert cursor.since_ns("c") == log_cursor.nanoseconds(LATER) - 5_000_000_000
    cursor.advance("c", 2, A, 1)
    assert cursor.since_ns("c") == log_cursor.nanoseconds(LATER) - 5_000_000_000
    cursor.advance("c", 2, LATER, 1)
    assert cursor.since_ns("c") == log_cursor.nanoseconds(LATER)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_times_survive_their_text_and_keep_their_order(seconds: int, nanos: int) -> None:
    time = Timestamp(seconds=seconds, nanos=nanos)
    stamp = log_cursor.stamp_of(time)
    assert len(stamp) == log_cursor.STAMP_BYTES
    assert log_cursor.timestamp_of(stamp) == time
    assert log_cursor.stamp_of(Timestamp(seconds=seconds + 1)) > stamp
