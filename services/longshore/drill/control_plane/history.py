"""A control plane's drill, put together from its journal: calls and answers, the log, watchers, rows, and what really ran. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Record = Mapping[str, Any]

ANSWERED, REFUSED, UNKNOWN = "answer", "refused", "unknown"


@dataclass(slots=True)
class Call:
    """One call of a client, repetitions under its token included."""

    number: int
    name: str
    at: float
    about: Record
    outcome: str = ""
    """What came of it; empty: it was still under way at the end."""
    ended_at: float = float("inf")
    told: Record = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What the tasks of it bear as `startedBy`; empty where it starts none."""
        return str(self.about.get("key", ""))

    @property
    def title(self) -> str:
        """What it is called in a finding."""
        return f"{self.name} {self.key or self.about.get('task') or self.about.get('definition') or self.number}"


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a task."""

    sequence: int
    version: int
    instance: str
    status: int
    desired: int
    stop_code: int
    released: bool


@dataclass(slots=True)
class Task:
    """One task that the log or a table tells of."""

    task_id: str
    definition: str = ""
    key: str = ""
    changes: list[Change] = field(default_factory=list)
    intent: Record | None = None
    observation: Record | None = None
    described: Record | None = None

    @property
    def title(self) -> str:
        """What it is called in a finding."""
        return f"task {self.task_id} ({self.key or 'of nobody'})"


@dataclass(slots=True)
class Watcher:
    """What one watcher was told."""

    family: str
    """Of which it wanted to hear; empty: of everything."""
    events: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """All that the journal tells."""

    calls: dict[int, Call] = field(default_factory=dict)
    log: list[tuple[Any, ...]] = field(default_factory=list)
    """The events as they are stored, as `watching.summary` writes them."""
    tasks: dict[str, Task] = field(default_factory=dict)
    watchers: dict[str, Watcher] = field(default_factory=dict)
    containers: list[Record] = field(default_factory=list)
    """What the fleet's engines did, in order."""
    needs: dict[str, Record] = field(default_factory=dict)
    """What a task of each revision takes."""
    capacity: Record = field(default_factory=dict)
    instances: dict[str, Record] = field(default_factory=dict)
    """At the end: tasks ever placed, running, and no longer pending."""
    head: Record = field(default_factory=dict)
    due: int = 0
    """Up to which sequence each watcher must have been told of everything."""
    blows: list[Record] = field(default_factory=list)
    recovered: list[Record] = field(default_factory=list)
    not_recovered: list[Record] = field(default_factory=list)
    ends: list[Record] = field(default_factory=list)
    late: list[Record] = field(default_factory=list)
    """When the drill itself was late, as on a busy machine."""
    left: dict[str, list[str]] = field(default_factory=dict)
    complete: bool = False
    """Whether the drill came to its end, all questions asked."""

    def of_key(self) -> Mapping[str, list[Task]]:
        """Tasks by what they bear as `startedBy`."""
        found: dict[str, list[Task]] = defaultdict(list)
        for task in self.tasks.values():
            found[task.key].append(task)
        return found


def of(records: Iterable[Record]) -> History:
    """The history in a journal."""
    found = History()
    for record in records:
        if record["what"] in _READERS:
            _READERS[record["what"]](found, record)
    return found


def _task(found: History, task_id: str) -> Task:
    return found.tasks.setdefault(task_id, Task(task_id))


def _call(found: History, record: Record) -> None:
    about = {name: value for name, value in record.items() if name not in {"at", "what", "number", "name"}}
    found.calls[record["number"]] = Call(record["number"], record["name"], record["at"], about)


def _outcome(found: History, record: Record) -> None:
    call = found.calls[record["number"]]
    call.outcome, call.ended_at, call.told = record["what"], record["at"], record


def _logged(found: History, record: Record) -> None:
    for event in record["events"]:
        found.log.append(tuple(event))
        if event[1] != "task":
            continue
        sequence, _, task_id, version, instance, status, desired, stop_code, released, definition, key = event
        task = _task(found, task_id)
        task.definition, task.key = definition, key
        task.changes.append(Change(sequence, version, instance, status, desired, stop_code, bool(released)))


def _watch(found: History, record: Record) -> None:
    found.watchers.setdefault(record["watcher"], Watcher(record["family"]))


def _watched(found: History, record: Record) -> None:
    found.watchers[record["watcher"]].events.extend(tuple(event) for event in record["events"])


def _intents(found: History, record: Record) -> None:
    for row in record["rows"]:
        _task(found, row["task_id"]).intent = row


def _observations(found: History, record: Record) -> None:
    for row in record["rows"]:
        _task(found, row["task_id"]).observation = row


def _described(found: History, record: Record) -> None:
    for row in record["rows"]:
        _task(found, row["task_id"]).described = row


def _instances(found: History, record: Record) -> None:
    found.instances.update({row["instance_id"]: row for row in record["rows"]})


def _left(found: History, record: Record) -> None:
    for kind, names in record["found"].items():
        found.left.setdefault(kind, []).extend(names)


def _complete(found: History, _: Record) -> None:
    found.complete = True


_READERS: dict[str, Callable[[History, Record], None]] = {
    "call": _call,
    ANSWERED: _outcome,
    REFUSED: _outcome,
    UNKNOWN: _outcome,
    "logged": _logged,
    "watch": _watch,
    "watched": _watched,
    "intents": _intents,
    "observations": _observations,
    "described": _described,
    "instances": _instances,
    "containers": lambda found, record: found.containers.extend(record["news"]),
    "needs": lambda found, record: found.needs.update({record["definition"]: record}),
    "capacity": lambda found, record: setattr(found, "capacity", record),
    "head": lambda found, record: setattr(found, "head", record),
    "due": lambda found, record: setattr(found, "due", record["sequence"]),
    "blow": lambda found, record: found.blows.append(record),
    "recovered": lambda found, record: found.recovered.append(record),
    "not recovered": lambda found, record: found.not_recovered.append(record),
    "ended": lambda found, record: found.ends.append(record),
    "late": lambda found, record: found.late.append(record),
    "left": _left,
    "over": _complete,
}
