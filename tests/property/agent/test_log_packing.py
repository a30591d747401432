"""Wherever a reading breaks off, the next one goes on there: nothing is missing and nothing comes twice."""

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent import log_frames
from longshore.agent.logs import log_packing
from longshore.rpc import log_cursor
from longshore.v1 import state_tracker_service_pb2

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def stamp(ns: int) -> bytes:
    seconds, rest = divmod(ns, SECOND)
    return log_cursor.stamp_of(Timestamp(seconds=seconds, nanos=rest))


@st.composite
def logs(draw: st.DrawFn) -> list[log_frames.Entry]:
    """An engine's log: within a stream times do not go back; between the two by up to a second; many are equal."""
    times = {1: START, 2: START}
    entries = []
    for number in range(draw(st.integers(0, 25))):
        stream = draw(st.sampled_from([1, 2]))
        behind = max(times.values()) - draw(st.integers(0, SECOND))
        step = draw(st.sampled_from([0, 0, 1, SECOND // 2, 20 * SECOND]))
        times[stream] = max(times[stream], behind) + step
        entries.append((stream, stamp(times[stream]), b"%d\n" % number))
    return entries


def asked(log: list[log_frames.Entry], since_ns: int) -> list[log_frames.Entry]:
    """What the engine answers: whatever is not older."""
    return [entry for entry in log if log_cursor.nanoseconds(entry[1]) >= since_ns]


@given(logs(), st.lists(st.integers(0, 25), max_size=6), st.booleans())
def test_readings_that_break_off_anywhere_add_up(
    log: list[log_frames.Entry],
    lengths: list[int],
    timestamps: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    cursor, got = "", b""
    for length in [*lengths, len(log)]:
        packer = log_packing.Packer(log_cursor.decode(cursor), timestamps=timestamps)
        answer = asked(log, packer.cursor.since_ns("c"))
        fresh = log_packing.Skipping(packer.cursor, "c").fresh(answer)[:length]
        if fresh:
            sent = state_tracker_service_pb2.ReadLogsResponse.FromString(packer.pack([("c", fresh)]))
            got += b"".join(piece.data for piece in sent.pieces)
            cursor = sent.cursor
            assert all(piece.HasField("time") == timestamps for piece in sent.pieces)
    assert got == b"".join(entry[2] for entry in log)
