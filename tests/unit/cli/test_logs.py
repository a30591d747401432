import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import typer

from longshore.cli import log_output, logs
from longshore.client import logs as reading
from longshore.v1 import log_pb2

NOW = datetime(2026, 11, 28, 23, 0, tzinfo=UTC)
OUT, ERR = log_pb2.LOG_STREAM_STDOUT, log_pb2.LOG_STREAM_STDERR


def piece(
    data: bytes, container: str = "main", stream: log_pb2.LogStream.ValueType = OUT, nanos: int = 0
) -> log_pb2.LogPiece:
    made = log_pb2.LogPiece(container=container, stream=stream, data=data)
    if nanos:
        made.time.nanos = nanos
    return made


def printed(*pieces: log_pb2.LogPiece, prefixed: bool = False, **how: bool) -> tuple[bytes, bytes]:
    """What lands on standard output and on standard error."""
    out, err = io.BytesIO(), io.BytesIO()
    printer = log_output.Printer(**{"as_json": False, "coloured": False, **how}, out=out, err=err)
    for one in pieces:
        printer.show(reading.Output("", (one,)), prefixed=prefixed)
    printer.finish()
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", timedelta(seconds=90)), ("1h30m", timedelta(minutes=90)), ("2d", timedelta(days=2)), ("0s", timedelta())],
)
def test_how_long_ago_is_a_time(text: str, ago: timedelta) -> None:
    assert logs.moment(text, NOW, "--since") == NOW - ago


def test_a_time_is_a_time() -> None:
    assert logs.moment("2026-11-28T22:00:00+01:00", NOW, "--since") == datetime(2026, 11, 28, 21, 0, tzinfo=UTC)
    with pytest.raises(typer.BadParameter, match="'yesterday' is neither a time"):
        logs.moment("yesterday", NOW, "--since")


def test_one_container_s_bytes_are_printed_as_they_are_each_stream_on_its_own() -> None:
    assert printed(piece(b"a\x00\xff"), piece(b"e\n", stream=ERR), piece(b"b\r")) == (b"a\x00\xffb\r", b"e\n")


def test_several_containers_lines_are_put_together_and_named() -> None:
    found = printed(
        piece(b"one ", "a"), piece(b"x\ny", "b"), piece(b"two\n", "a"), piece(b"z\n", "b", ERR), prefixed=True
    )
    assert found == (b"b | x\na | one two\nb | y\n", b"b | z\n")
    assert printed(piece(b"x\n", "a"), prefixed=True, coloured=True)[0] == b"\x1b[36ma | \x1b[0mx\n"


def test_a_time_stands_before_each_line_once() -> None:
    found = printed(piece(b"lo", nanos=1), piece(b"ng\n", nanos=2), piece(b"next", nanos=3), timestamps=True)
    assert found[0].decode().splitlines() == [
        "1970-01-01T00:00:00.000000001Z long",
        "1970-01-01T00:00:00.000000003Z next",
    ]


def test_json_has_an_object_a_line() -> None:
    found = printed(piece(b"a\nb\xff"), piece(b"e\n", stream=ERR), as_json=True)[0]
    assert [json.loads(line) for line in found.splitlines()] == [
        {"container": "main", "stream": "stdout", "message": "a"},
        {"container": "main", "stream": "stderr", "message": "e"},
        {"container": "main", "stream": "stdout", "message": "b\ufffd"},
    ]


def test_what_one_task_has_not_ended_is_printed_with_its_end_and_the_others_goes_on() -> None:
    out = io.BytesIO()
    printer = log_output.Printer(as_json=False, out=out, err=io.BytesIO(), coloured=False)
    for name in ("t1", "t2"):
        printer.show(reading.Output("", (piece(b"begun"),)), prefixed=True, name=name)
    printer.finish("t1")
    printer.show(reading.Output("", (piece(b" and ended\n"),)), prefixed=True, name="t2")
    assert out.getvalue() == b"t1 main | begun\nt2 main | begun and ended\n"
