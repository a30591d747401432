"""Log lines: JSON, one a line, without secrets, rotated."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from longshore.rpc import logs


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_is_bound() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger("longshore.x").info("task_placed", task_id="t", ports=(80,))
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "task_placed",
        "level": "info",
        "logger": "longshore.x",
        "request_id": "r-1",
        "task_id": "t",
        "ports": [80],
    }


def test_the_level_is_the_least_that_is_written() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, level="warning")
    logger = structlog.get_logger("longshore.x")
    logger.info("quiet")
    logger.warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_secrets_are_left_out_at_any_depth() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.get_logger("longshore.x").info(
        "started",
        instance_credential="c",
        Authorization="a",
        client_token="t",
        container={"name": "web", "environment": [{"name": "K", "value": "v"}], "deep": [{"db_password": "p"}]},
        url="postgresql://u:hunter2@h/x",
    )
    (line,) = lines(stream)
    assert {key: line[key] for key in ("instance_credential", "Authorization", "client_token")} == {
        "instance_credential": "***",
        "Authorization": "***",
        "client_token": "***",
    }
    assert line["container"] == {"name": "web", "environment": "***", "deep": [{"db_password": "***"}]}
    assert line["url"] == "postgresql://u:***@h/x"


def test_what_is_nested_too_deep_is_left_out_whole() -> None:
    nested: Any = "bottom"
    for _ in range(20):
        nested = {"a": nested}
    assert "bottom" not in str(logs.redact(None, "info", {"event": "x", "nested": nested}))


def test_records_of_the_standard_library_go_the_same_way_with_their_traceback() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    try:
        json.loads("{}")["boom"]
    except KeyError:
        logging.getLogger("third.party").exception("it %s", "broke")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("it broke", "error", "third.party")
    assert "KeyError: 'boom'" in line["exception"]


def test_chatter_of_others_is_not_written_at_debug() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, level="debug")
    logging.getLogger("grpc._cython.cygrpc").debug("loop")
    structlog.get_logger("longshore.x").debug("ours")
    assert [line["event"] for line in lines(stream)] == ["ours"]


def test_a_terminal_gets_columns() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, as_json=False)
    structlog.get_logger("longshore.x").info("task_placed", task_id="t")
    assert "task_placed" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_terminal_gets_tracebacks_without_the_values_of_variables() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, as_json=False)
    held = "hunter2"
    try:
        raise RuntimeError("broken") if held else ValueError
    except RuntimeError:
        structlog.get_logger("longshore.x").exception("it_broke")
    assert "RuntimeError: broken" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_file_is_rotated_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT", 2_000)
    monkeypatch.setattr(logs, "FILES_KEPT", 2)
    file = tmp_path / "log" / "agent.log"
    logs.configure(file=file)
    for number in range(100):
        structlog.get_logger("longshore.x").info("tick", number=number)
    logging.getLogger().handlers[0].flush()
    assert sorted(path.name for path in file.parent.iterdir()) == ["agent.log", "agent.log.1", "agent.log.2"]
    assert all(path.stat().st_size <= 2_000 for path in file.parent.iterdir())
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 99


def test_configuring_twice_writes_each_line_once() -> None:
    stream = io.StringIO()
    logs.configure(stream=io.StringIO())
    logs.configure(stream=stream)
    structlog.get_logger("longshore.y").info("once")
    assert len(lines(stream)) == 1
