"""What the machine asks to be done. Imperative; each is answered by one or more events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pull:
    """Make the image of a container available. Answered by ImageReady or PullFailed."""

    container: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make a container. Answered by ContainerCreated or CreateFailed, or by what was found under its name."""

    container: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container's process. Answered by ContainerStarted, StartFailed or ContainerDied."""

    container: str
    runtime_id: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a container again that ended at `finished_at`. Answered as Start is; a later end is that of the new run."""

    container: str
    runtime_id: str
    finished_at: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a container to end, kill it after the timeout. Answered by ContainerDied, Vanished, StopFailed or StopTimedOut."""

    container: str
    runtime_id: str
    timeout_s: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a container at once. Answered as Stop is."""

    container: str
    runtime_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Say so once it is `at` (microseconds). Answered by TimePassed."""

    at: int


@dataclass(frozen=True, slots=True)
class Report:
    """Write down what is known of the task, then tell the control plane."""


Command = Pull | Create | Start | Restart | Stop | Kill | Wake | Report
