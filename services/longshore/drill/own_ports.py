"""Loopback ports of a drill's own: below the kernel's dynamic ones, which connections and containers get."""

import os
import random
import socket

from longshore.drill import programs

LOOPBACK = "127.0.0.1"

_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 1000


def free_range(span: int) -> int:
    """The first of so many ports in a row that nobody has."""
    for base in range(_LOWEST + (os.getpid() % 1000) * span, _HIGHEST, span):
        if all(_is_free(base + offset) for offset in range(span)):
            return base
    raise programs.Failed(f"no {span} free ports in a row between {_LOWEST} and {_HIGHEST}")


class Ports:
    """Gives free ports, each once."""

    def __init__(self) -> None:
        self._given: set[int] = set()
        # By chance, so that two drills at a time are not given the same before either has it.
        self._source = random.SystemRandom()

    def take(self) -> int:
        """A port that nobody has."""
        for _ in range(_TRIES):
            port = self._source.randrange(_LOWEST, _HIGHEST)
            if port not in self._given and _is_free(port):
                self._given.add(port)
                return port
        raise programs.Failed(f"no free port between {_LOWEST} and {_HIGHEST}")


def _is_free(port: int) -> bool:
    with socket.socket() as trying:
        # Connections that ended lately do not keep a server from listening.
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
