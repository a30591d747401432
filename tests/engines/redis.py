"""A real Redis server in a temporary folder."""

import itertools
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Self

from tests.engines import ports, processes

_DATABASES = 4096  # a run has fewer tests with Redis than this, so none is used twice
_PROBE_BOUND_S = 1.0


def program() -> str | None:
    """The server program on this machine, ``None`` without it."""
    return shutil.which("redis-server")


class RedisServer:
    """One server on a loopback port that keeps nothing over a stop, as a cache in production may."""

    def __init__(self, executable: str) -> None:
        self.port = ports.free_port()
        self._home = Path(tempfile.mkdtemp(prefix="longshore-redis-"))
        self._databases = itertools.cycle(range(_DATABASES))
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._home),
            "databases": str(_DATABASES),
            "save": "",
            "appendonly": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = processes.ServerProcess("redis-server", [executable, *arguments], log=self._home / "log")

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and remove its folder."""
        self.close()

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._process.running

    def start(self) -> None:
        """Start it on the same port; returns once it answers."""
        self._process.start(self._answers)

    def stop(self) -> None:
        """Stop it; every connection ends."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()

    def restart(self) -> None:
        """Stop and start; what it held is gone."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._process.resume()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, database: int = 0) -> str:
        """The URL of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def fresh_url(self) -> str:
        """The URL of a database that no earlier test of this run has used."""
        return self.url(next(self._databases))

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_BOUND_S) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16) == b"+PONG\r\n"
        except OSError:
            return False
