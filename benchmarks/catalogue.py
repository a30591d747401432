"""What a benchmark is to `python -m benchmarks`: a name for --only, a subject whose table it stands in, its flags, and its measuring."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import figures

SCALE = "The scheduler at scale"
HOSTS = "Hosts and the wire"


class MissingError(Exception):
    """What a benchmark needs is not on this machine; the message says what installs it."""


def _no_flags(_parser: argparse.ArgumentParser) -> None:
    """Of a benchmark that is always of one size."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of them. `measure` is given an empty folder of its own and the command line."""

    name: str
    about: str
    measure: Callable[[Path, argparse.Namespace], Sequence[figures.Figure]]
    subject: str = SCALE
    flags: Callable[[argparse.ArgumentParser], None] = _no_flags
