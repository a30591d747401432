"""A real image registry (Debian's docker-registry) on loopback, where Docker asks for no TLS. What it holds is gone when it ends."""

import json
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.engines import ports, processes

USER, PASSWORD = "tester", "opens"
_HTPASSWD = f"{USER}:$2b$04$2e.hvMoOXEAyh5mh/pvq4OvmOcJKaGJYBQMiYjxmjnDU/o7qmg7DS\n"
_PROBE_BOUND_S = 1.0


def program() -> str | None:
    """The registry's program on this machine, ``None`` without it."""
    return shutil.which("docker-registry")


class ImageRegistry:
    """One registry; ``locked`` asks for USER and PASSWORD."""

    def __init__(self, executable: str, *, locked: bool) -> None:
        self.port = ports.free_port()
        self.locked = locked
        self._home = Path(tempfile.mkdtemp(prefix="longshore-registry-"))
        options: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"inmemory": {}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "none"},
        }
        if locked:
            file = self._home / "htpasswd"
            file.write_text(_HTPASSWD)
            options["auth"] = {"htpasswd": {"realm": "tests", "path": str(file)}}
        configuration = self._home / "config.yml"
        configuration.write_text(json.dumps(options))  # which is YAML as well
        command = [executable, "serve", str(configuration)]
        self._process = processes.ServerProcess("docker-registry", command, log=self._home / "log")

    def __enter__(self) -> Self:
        """Start it."""
        self._process.start(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_BOUND_S).close()
        except OSError:
            return False
        return True
