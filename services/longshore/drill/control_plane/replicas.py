"""The components: two of each, each a process whose clock can be off."""

import sys
from collections.abc import Mapping
from pathlib import Path

from longshore.drill import journal
from longshore.drill.control_plane import off_clock, service

REGISTRY, SCHEDULER, TRACKER = "registry", "scheduler", "tracker"
KINDS = (REGISTRY, SCHEDULER, TRACKER)
MODULES = {REGISTRY: "longshore.registry", SCHEDULER: "longshore.scheduler", TRACKER: "longshore.state_tracker"}
NUMBERS = (1, 2)
NAMES = tuple(f"{kind}-{number}" for kind in KINDS for number in NUMBERS)

AGENT_LEASE_S = 5.0
AGENT_GIVE_UP_S = 12.0
"""Long enough for a host that was silent, short enough to happen in a drill."""


def of(kind: str) -> list[str]:
    """The replicas of a component."""
    return [name for name in NAMES if kind_of(name) == kind]


def kind_of(name: str) -> str:
    """Of which component a replica is."""
    return name.rpartition("-")[0]


def twin_of(name: str) -> str:
    """The other replica of its component."""
    kind, _, number = name.rpartition("-")
    return f"{kind}-{sum(NUMBERS) - int(number)}"


class Replica:
    """One process of one component."""

    def __init__(
        self,
        name: str,
        at: tuple[str, int],
        settings: Mapping[str, str],
        *,
        home: Path,
        logs: Path,
        notes: journal.Journal,
    ) -> None:
        self.name = name
        self.at = at
        self._clock = home / f"{name}.clock"
        self.set_clock(0.0)
        told = {
            "LONGSHORE_LISTEN": f"{at[0]}:{at[1]}",
            "LONGSHORE_LOG_FILE": str(logs / f"{name}.log"),
            "LONGSHORE_LOG_LEVEL": "info",
            **settings,
        }
        command = [sys.executable, "-m", off_clock.__name__, str(self._clock), MODULES[kind_of(name)]]
        self.service = service.Service(name, command, logs=logs, notes=notes, environ=told)

    def set_clock(self, seconds: float) -> None:
        """Let its clock be off by so much, from now on."""
        offset = off_clock.OFFSET.pack(round(seconds * 1_000_000))
        # In place: the process has the file mapped.
        with self._clock.open("r+b" if self._clock.exists() else "w+b") as file:
            file.write(offset)


def settings_of(name: str, *, home: Path, lines: Mapping[str, str], database: str, events: str) -> dict[str, str]:
    """What a replica is told. `lines` names the address of each node that it dials, and of itself as its twin dials it."""
    kind = kind_of(name)
    told = {
        "LONGSHORE_DATABASE_URL": database,
        "LONGSHORE_EVENTS_URL": events,
        "LONGSHORE_STATE_DIR": str(home / name),
    }
    if name in lines:
        told["LONGSHORE_ADVERTISE"] = lines[name]
    if kind == REGISTRY:
        told["LONGSHORE_SEAL_KEY_FILE"] = str(home / "seal.key")
        told["LONGSHORE_MAKE_SEAL_KEY"] = "true"
        told["LONGSHORE_SCHEDULER"] = _list(lines, SCHEDULER)
        told["LONGSHORE_STATE_TRACKER"] = _list(lines, TRACKER)
    if kind == TRACKER:
        told["LONGSHORE_AGENT_LEASE"] = f"{AGENT_LEASE_S:g}"
        told["LONGSHORE_AGENT_GIVE_UP"] = f"{AGENT_GIVE_UP_S:g}"
    return told


def _list(lines: Mapping[str, str], kind: str) -> str:
    return ",".join(lines[name] for name in of(kind))
