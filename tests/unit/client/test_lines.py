"""Lines are put together from pieces, whatever way the output is cut."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from longshore.client import lines, logs
from longshore.v1 import log_pb2

OUT, ERR = log_pb2.LOG_STREAM_STDOUT, log_pb2.LOG_STREAM_STDERR


@given(st.lists(st.binary(max_size=20)))
def test_lines_lose_nothing_however_they_come(pieces: list[bytes]) -> None:
    together = lines.Lines()
    whole = [line for data in pieces for _, line in together.feed(("c", 1), data, "")]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in whole)
    assert b"".join(whole) + b"".join(line for _, (_, line) in together.rest()) == b"".join(pieces)


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    together = lines.Lines()
    fed = [line for _ in range(20) for _, line in together.feed(("c", 1), b"x" * 10_000, "")]
    assert len(fed) >= 2
    assert max(map(len, fed)) < lines.LONGEST_LINE + 10_000


def test_lines_of_containers_and_streams_do_not_mix_and_the_last_may_lack_its_end() -> None:
    together = lines.Lines()
    pieces = (
        log_pb2.LogPiece(container="web", stream=OUT, data=b"one\ntw"),
        log_pb2.LogPiece(container="web", stream=ERR, data=b"oops\r\n"),
        log_pb2.LogPiece(container="db", stream=OUT, data=b"\xff\n"),
        log_pb2.LogPiece(container="web", stream=OUT, data=b"o"),
    )
    found = [*lines.of(logs.Output("c", pieces), together), *lines.last(together)]
    assert [(line.container, line.stream, line.text) for line in found] == [
        ("web", "stdout", "one"),
        ("web", "stderr", "oops"),
        ("db", "stdout", "\ufffd"),
        ("web", "stdout", "two"),
    ]


def test_a_line_has_the_time_of_its_beginning() -> None:
    together = lines.Lines()
    piece = log_pb2.LogPiece(container="web", stream=OUT, data=b"late\n")
    piece.time.FromDatetime(datetime(2026, 11, 29, 3, 0, 0, 250000, tzinfo=UTC))
    (line,) = lines.of(logs.Output("c", (piece,)), together)
    assert line.time == datetime(2026, 11, 29, 3, 0, 0, 250000, tzinfo=UTC)
