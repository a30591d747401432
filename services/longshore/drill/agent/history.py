"""A drill's journal, put together into histories: of each task, of each fault, of the log. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.drill.agent import kinds

Record = Mapping[str, Any]

FORGOTTEN = "forgotten processes"
"""What an engine has left running and does not know of."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container as an event told it."""

    name: str
    status: str
    code: int | None = None
    reason: str = ""
    restarts: int = 0
    ports: tuple[str, ...] = ()
    runtime_id: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a task."""

    at: float
    sequence: int
    """Its place in the cluster's log, which is the order of commits."""
    version: int
    status: str
    desired: str
    stop_code: str = ""
    reason: str = ""
    released: bool = False
    containers: tuple[Container, ...] = ()

    def container(self, name: str) -> Container | None:
        """The container of that name, where it is told of."""
        return next((container for container in self.containers if container.name == name), None)


@dataclass(slots=True)
class Task:
    """One task that was accepted."""

    task_id: str
    key: str
    kind: kinds.Kind
    code: int
    accepted_at: float
    cpu: int = 0
    memory: int = 0
    stop_asked_at: float | None = None
    changes: list[Change] = field(default_factory=list)
    described: Record | None = None
    read: Record | None = None
    """What was read of its output."""
    stories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called in a finding."""
        return f"{self.kind.name} {self.key} ({self.task_id})"

    @property
    def last(self) -> Change | None:
        """The last that was told of it."""
        return self.changes[-1] if self.changes else None

    @property
    def stopped_at(self) -> float | None:
        """When it was told to have stopped."""
        return next((change.at for change in self.changes if change.status == "STOPPED"), None)

    @property
    def released_at(self) -> float | None:
        """When its resources were told to be free."""
        return next((change.at for change in self.changes if change.released), None)

    def ended_at(self, part: str) -> float | None:
        """When a container was first told to have ended."""
        for change in self.changes:
            told = change.container(part)
            if told is not None and told.status == "STOPPED":
                return change.at
        return None

    def final(self, part: str) -> Container:
        """The last that was told of a container."""
        told = (change.container(part) for change in reversed(self.changes))
        return next((container for container in told if container), Container(part, ""))


@dataclass(slots=True)
class Blow:
    """One fault."""

    strike: int
    fault: str
    at: float
    over_at: float = float("inf")
    settled_at: float = float("inf")
    """When the host worked again, by the probe."""
    details: Record = field(default_factory=dict)

    def touches(self, task: Task) -> bool:
        """Whether it was going on, or its consequences were, while the task lived."""
        return task.accepted_at <= self.settled_at and self.at <= (task.stopped_at or float("inf"))


@dataclass(slots=True)
class History:
    """All that the journal tells."""

    tasks: dict[str, Task] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Tasks that events told of and nobody had asked for."""
    stray_stories: list[str] = field(default_factory=list)
    not_recovered: list[Record] = field(default_factory=list)
    recovered: list[Record] = field(default_factory=list)
    refused: list[Record] = field(default_factory=list)
    agent_ends: list[Record] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    capacity: Record = field(default_factory=dict)
    began: Record = field(default_factory=dict)
    complete: bool = False
    """Whether the drill came to its end, all questions asked."""


def of(records: Iterable[Record]) -> History:
    """The histories in a journal."""
    found = History()
    kept = list(records)
    for record in kept:
        if record["what"] in _READERS:
            _READERS[record["what"]](found, record)
    # Events may come before the answer that says whose they are, so they are told when all answers are known.
    for record in kept:
        if record["what"] == "event":
            found.sequences.append(record["sequence"])
            if "task" in record:
                _tell(found, record["at"], record["sequence"], record["task"])
    _hand_out(found, {record["name"]: tuple(record["lines"]) for record in kept if record["what"] == "story"})
    return found


def _accepted(found: History, record: Record) -> None:
    found.tasks[record["task"]] = Task(
        record["task"],
        record["key"],
        kinds.KINDS[record["kind"]],
        record["code"],
        record["at"],
        record["cpu"],
        record["memory"],
    )


def _stop(found: History, record: Record) -> None:
    task = found.tasks[record["task"]]
    task.stop_asked_at = record["at"] if task.stop_asked_at is None else task.stop_asked_at


def _described(found: History, record: Record) -> None:
    found.tasks[record["task"]].described = record


def _read(found: History, record: Record) -> None:
    found.tasks[record["task"]].read = record


def _struck(found: History, record: Record) -> None:
    found.blows.append(Blow(record["strike"], record["fault"], record["at"], details=record))


def _over(found: History, record: Record) -> None:
    blow = next(blow for blow in found.blows if (blow.strike, blow.fault) == (record["strike"], record["fault"]))
    blow.over_at = record["at"]
    blow.details = {**blow.details, **record}


def _recovered(found: History, record: Record) -> None:
    found.recovered.append(record)
    for blow in found.blows:
        if blow.strike == record["strike"]:
            blow.settled_at = record["at"]


def _not_recovered(found: History, record: Record) -> None:
    found.not_recovered.append(record)


def _refused(found: History, record: Record) -> None:
    found.refused.append(record)


def _agent_ended(found: History, record: Record) -> None:
    found.agent_ends.append(record)


def _left(found: History, record: Record) -> None:
    for kind, names in record["found"].items():
        found.left.setdefault(kind, []).extend(names)


def _capacity(found: History, record: Record) -> None:
    found.capacity = record


def _began(found: History, record: Record) -> None:
    found.began = record


def _complete(found: History, _: Record) -> None:
    found.complete = True


_READERS: dict[str, Callable[[History, Record], None]] = {
    "began": _began,
    "accepted": _accepted,
    "stop": _stop,
    "described": _described,
    "read": _read,
    "blow": _struck,
    "blow over": _over,
    "recovered": _recovered,
    "not recovered": _not_recovered,
    "refused": _refused,
    "agent ended": _agent_ended,
    "left": _left,
    "capacity": _capacity,
    "over": _complete,
}


def _tell(found: History, at: float, sequence: int, event: Record) -> None:
    task = found.tasks.get(event["task"])
    if task is None:
        if event["task"] not in found.unknown:
            found.unknown.append(event["task"])
        return
    containers = tuple(
        Container(
            item["name"],
            item["status"],
            item["code"],
            item["reason"],
            item["restarts"],
            tuple(item["ports"]),
            item["runtime_id"],
        )
        for item in event["containers"]
    )
    task.changes.append(
        Change(
            at,
            sequence,
            event["version"],
            event["status"],
            event["desired"],
            event["stop_code"],
            event["reason"],
            event["released"],
            containers,
        )
    )


def _hand_out(found: History, stories: Mapping[str, tuple[str, ...]]) -> None:
    by_key = {task.key: task for task in found.tasks.values()}
    for name, lines in stories.items():
        key, _, part = name.partition(".")
        if key in by_key and part in by_key[key].kind.parts:
            by_key[key].stories[part] = lines
        else:
            found.stray_stories.append(name)
