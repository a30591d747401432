"""The note that `longshore up` keeps in its state folder: who runs, where it listens, what it left running.

Written by `up`, read by `down`, by `up --detach` and by a second `up`. It outlives the process: a pid that is gone, or is another
program by now, says that nothing runs, and the rest of the note tells `down` what there was.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "up.json"

GRPC = ("registry", "scheduler", "state_tracker")
"""What the control plane serves by gRPC."""

COMPONENTS = ("gateway", *GRPC)
"""All that it serves, in the order of their ports."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One run of `longshore up`."""

    pid: int
    started: str
    """The process's start time as the kernel counts it: tells it from a later process with the same pid."""
    port_base: int
    agent: bool
    ready: bool = False
    """Whether it serves, and its agent has joined or said why not."""
    left: int | None = None
    """Tasks that it left running when it ended in order; None before, and after any other end."""

    def ports(self) -> dict[str, int]:
        """Ports by component."""
        return ports(self.port_base)

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return start_time(self.pid) == self.started != ""


def ports(base: int) -> dict[str, int]:
    """Ports of one embedded stack from its port base."""
    names = (*COMPONENTS, "introspection", "task_metadata")
    return {name: base + offset for offset, name in enumerate(names)}


def mine(*, port_base: int, agent: bool) -> Holder:
    """The note of this process."""
    return Holder(os.getpid(), start_time(os.getpid()), port_base, agent)


def start_time(pid: int) -> str:
    """When a process started, as /proc tells; empty where there is no such process, or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def write(state_dir: Path, holder: Holder) -> None:
    """Leave the note, whole or not at all."""
    target = state_dir / NAME
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(holder)))
    partial.replace(target)


def last(state_dir: Path) -> Holder | None:
    """The note of the last run, whether it still goes on or not; None where there was none."""
    try:
        return Holder(**json.loads((state_dir / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def read(state_dir: Path) -> Holder | None:
    """The note of a process that still runs; None where there is none."""
    holder = last(state_dir)
    return holder if holder is not None and holder.alive() else None
