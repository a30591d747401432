"""`python -m longshore.drill.control_plane.off_clock FILE MODULE WORD...`: a component whose clock is off by what a file says.

`time.time` and `time.time_ns` of everything that is imported from here on are off by the microseconds in the file, which whoever holds
the drill may change at any moment. What is imported before keeps the true clock: gRPC makes of its timeouts points in time by Python's
clock and holds them against the system's, so a clock that only Python sees must not reach it. (libfaketime, which would reach both,
breaks the sleeps of Python 3.11.)
"""

import importlib
import mmap
import runpy
import struct
import sys
import time
import types
from pathlib import Path

OFFSET = struct.Struct("<q")
"""How the file is written: microseconds, negative for a clock that is slow."""

_TRUE = ("grpc", "grpc.aio", "asyncio", "asyncpg", "redis.asyncio", "structlog", "numpy", "prometheus_client")
"""What keeps the true clock."""


def main(words: list[str]) -> None:
    """Become the module, with a clock of its own."""
    path, module, *arguments = words
    for name in _TRUE:
        importlib.import_module(name)
    with Path(path).open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, prot=mmap.PROT_READ)
    sys.modules["time"] = _off(offset)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _off(offset: mmap.mmap) -> types.ModuleType:
    """The module `time`, with the time of day off."""
    made = types.ModuleType("time", time.__doc__)
    made.__dict__.update(vars(time))
    true_ns = time.time_ns

    def time_ns() -> int:
        (microseconds,) = OFFSET.unpack(offset[: OFFSET.size])
        return true_ns() + int(microseconds) * 1000

    made.__dict__.update(time_ns=time_ns, time=lambda: time_ns() / 1e9)
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
