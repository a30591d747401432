import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from longshore.embedded import holder

MINE = holder.mine(port_base=8700, agent=True)


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    holder.write(tmp_path, MINE)
    assert holder.read(tmp_path) == holder.last(tmp_path) == MINE
    assert MINE.pid == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [holder.NAME]


def test_without_a_note_there_is_nobody(tmp_path: Path) -> None:
    assert (holder.read(tmp_path), holder.last(tmp_path)) == (None, None)


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    for text in ("", "{}", "[1]", '{"pid": 1}'):
        (tmp_path / holder.NAME).write_text(text)
        assert holder.last(tmp_path) is None


def test_the_note_of_a_process_that_is_gone_tells_of_the_last_run_alone(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = holder.start_time(child.pid)
    child.wait(10)
    gone = dataclasses.replace(MINE, pid=child.pid, started=started, left=2)
    holder.write(tmp_path, gone)
    assert holder.read(tmp_path) is None
    assert holder.last(tmp_path) == gone


def test_a_later_process_with_the_same_pid_is_another(tmp_path: Path) -> None:
    holder.write(tmp_path, dataclasses.replace(MINE, started="1"))
    assert holder.read(tmp_path) is None


def test_a_zombie_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert holder.start_time(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert holder.start_time(child.pid) == ""


def test_ports_follow_from_the_base() -> None:
    assert holder.ports(8700) == {
        "gateway": 8700,
        "registry": 8701,
        "scheduler": 8702,
        "state_tracker": 8703,
        "introspection": 8704,
        "task_metadata": 8705,
    }
