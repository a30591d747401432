"""A log file that is moved, removed, or cannot be written."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.rpc import log_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "agent.log"


@pytest.fixture
def handler(file: Path) -> Iterator[log_files.RotatingFile]:
    made = log_files.RotatingFile(file, limit=100, kept=1)
    yield made
    made.close()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "x", 1, text, None, None)


def test_others_cannot_read_it(handler: log_files.RotatingFile, file: Path) -> None:
    handler.emit(record("a"))
    assert file.stat().st_mode & 0o7777 == log_files.MODE & 0o7777


def test_it_is_written_anew_after_somebody_has_moved_or_removed_it(handler: log_files.RotatingFile, file: Path) -> None:
    handler.emit(record("first"))
    file.rename(file.with_suffix(".old"))
    handler.emit(record("second"))
    assert (file.with_suffix(".old").read_text(), file.read_text()) == ("first\n", "second\n")
    file.unlink()
    file.with_suffix(".old").unlink()
    file.parent.rmdir()
    handler.emit(record("third"))
    assert file.read_text() == "third\n"


def test_no_old_file_is_kept_where_none_is_wanted(file: Path) -> None:
    handler = log_files.RotatingFile(file, limit=100, kept=0)
    for _ in range(10):
        handler.emit(record("x" * 60))
    handler.close()
    assert [path.name for path in file.parent.iterdir()] == ["agent.log"]


def test_what_cannot_be_written_is_told_once_and_written_again_when_it_can(
    handler: log_files.RotatingFile, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.unlink()
    file.mkdir()  # whatever may be wrong with a disk: it cannot be opened
    handler.emit(record("a"))
    handler.emit(record("b"))
    assert capsys.readouterr().err.count("cannot be written") == 1
    file.rmdir()
    handler.emit(record("c"))
    assert file.read_text() == "c\n"
    assert capsys.readouterr().err == ""
