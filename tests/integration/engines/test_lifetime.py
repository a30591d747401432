"""Servers end with the process that started them, however that process ends."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines import postgres, redis

_ROOT = Path(__file__).parents[3]
_ENDED_WITHIN_S = 20
_STARTER = """
import sys
from tests.engines import postgres, redis
kind = sys.argv[1]
server = redis.RedisServer(redis.program()) if kind == "redis" else postgres.PostgresServer(postgres.installation())
server.start()
print(server._process._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the server's user can enter too; what the killed run could not remove goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_redis_server_dies_with_a_killed_run(redis_session: redis.RedisServer, open_folder: Path) -> None:
    with _killed_run("redis", open_folder) as server:
        assert _ended(server)


def test_a_postgresql_server_dies_with_a_killed_run(
    postgres_session: postgres.PostgresServer, open_folder: Path
) -> None:
    with _killed_run("postgres", open_folder) as server:
        assert _ended(server)


def test_a_server_started_from_a_thread_outlives_that_thread(redis_server: redis.RedisServer) -> None:
    starter = threading.Thread(target=redis_server.restart)
    starter.start()
    starter.join()

    assert not _ended(_descriptor(redis_server), within_s=0.3)


@contextmanager
def _killed_run(kind: str, folder: Path) -> Iterator[int]:
    """A descriptor of the server that another process started before it was killed."""
    run = subprocess.Popen(
        [sys.executable, "-c", _STARTER, kind],
        cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        server = os.pidfd_open(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
        run.wait()
        try:
            yield server
        finally:
            os.close(server)


def _descriptor(server: redis.RedisServer) -> int:
    process = server._process._process
    assert process is not None
    return os.pidfd_open(process.pid)


def _ended(process: int, *, within_s: float = _ENDED_WITHIN_S) -> bool:
    readable, _, _ = select.select([process], [], [], within_s)
    return bool(readable)
