"""What a drill does not do: touch an engine that is not its own, or begin without what it needs."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.drill import child, disk
from longshore.drill.agent import own_engine
from tests.engines.missing import missing


@pytest.fixture
def home() -> Iterator[Path]:
    """Short: a socket's path must fit 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="lse-") as folder:
        yield Path(folder)


async def test_an_engine_that_somebody_else_started_is_never_touched(home: Path) -> None:
    """Somebody else listens on the socket: this test."""
    engine = own_engine.OwnEngine(home, disk.Disk(home / "image", home / "d", 1), home)
    engine._dockerd = await child.started(["sleep", "60"], log=home / "log")
    try:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(home / "s"))
            other.listen()
            with pytest.raises(own_engine.WrongEngine, match=f"process {os.getpid()} listens on"):
                await engine.kill(whole=True)
            with pytest.raises(own_engine.WrongEngine):
                engine.freeze()
        assert engine._dockerd.running
    finally:
        await engine._dockerd.kill()


async def test_an_engine_that_is_gone_is_not_mistaken_for_another(home: Path) -> None:
    engine = own_engine.OwnEngine(home, disk.Disk(home / "image", home / "d", 1), home)
    with pytest.raises(own_engine.WrongEngine, match="nothing listens"):
        engine.verify()


def test_a_drill_says_that_it_needs_root() -> None:
    if os.geteuid() != 0:
        missing("becoming somebody else needs root")
    command = [sys.executable, "-c", _AS_NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "needs root" in done.stderr


_AS_NOBODY = """
import os, sys
from longshore.drill import __main__ as drill
os.setuid(65534)
sys.exit(drill.main(["agent"], {}))
"""
