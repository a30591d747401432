"""`python -m longshore.embedded.tied PARENT MODULE …`: become a module's process that ends when its parent does, even by kill -9.

A program of its own rather than a function between fork and exec: the parent runs gRPC, whose threads a fork would not survive.
"""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def main(argv: list[str]) -> None:
    """Tie this process to its parent (Linux; elsewhere nothing), and become `python -m MODULE …`."""
    parent, *module = argv
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit(0)  # it died before the kernel was asked to tell
    os.execv(sys.executable, [sys.executable, "-m", *module])  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
