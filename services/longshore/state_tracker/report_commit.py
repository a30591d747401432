"""The transaction that records what agents reported: fenced by the sessions' epochs, numbered, merged, counted, logged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longshore.state_tracker import committed, instance_rows, log_tails, observation, recording
from longshore.storage import steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import agent_service_pb2, log_pb2


@dataclass(frozen=True, slots=True)
class Reported:
    """One report of one session. At most one per instance in a transaction."""

    instance_id: str
    epoch: int
    process_id: str
    report: agent_service_pb2.Report


@dataclass(frozen=True, slots=True)
class Recorded:
    """The report, and all before it, are recorded."""

    number: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """The session is no longer the instance's: nothing was recorded. `holder` is the agent process that spoke last."""

    holder: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """An observation that cannot be taken; the rest of its report counts."""

    instance_id: str
    task_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: an answer per report, in order, and the commit's events."""

    answers: tuple[Recorded | Fenced, ...]
    dropped: tuple[Dropped, ...]
    committed: committed.Committed | None


def commit(dialect: Dialect, cluster: str, reports: Sequence[Reported]) -> steps.Step[Outcome]:
    """Record the reports that are current; see docs/design/agent-session.md for the order of the locks."""
    sessions = yield from _locked_sessions(dialect, [report.instance_id for report in reports])
    gone = yield from _inactive(dialect, [report.instance_id for report in reports if not _current(sessions, report)])
    news = [report for report in reports if _current(sessions, report) and _is_new(sessions, report)]
    changes: list[observation.Change] = []
    dropped: list[Dropped] = []
    result: committed.Committed | None = None
    if news:
        stored, homes = yield from _known(dialect, cluster, news)
        for found in _merged(cluster, news, stored, homes, now=sessions[news[0].instance_id]["now"]):
            if isinstance(found, Dropped):
                dropped.append(found)
            else:
                changes.append(found)
        tails = list(_tails(news, homes, dropped))
        yield from recording.write_observations(changes)
        yield from log_tails.keep(dialect, tails)
        yield from _count(news, changes)
    if changes:
        result = yield from recording.append_events(dialect, cluster, changes)
    answers = tuple(_answer(sessions, report, gone) for report in reports)
    return Outcome(answers, tuple(dropped), result)


def _locked_sessions(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, steps.Row]]:
    rows = yield from steps.fetch(
        f"SELECT instance_id, epoch, process_id, recorded_report, {dialect.now} AS now FROM instance_sessions"  # noqa: S608 - the dialect's own
        f" WHERE {dialect.member('instance_id', 1)} ORDER BY instance_id {dialect.exclusive_lock}",
        list(ids),
    )
    return {row["instance_id"]: row for row in rows}


def _inactive(dialect: Dialect, ids: Sequence[str]) -> steps.Step[frozenset[str]]:
    """Which of the instances were deregistered, so that their agents are told so, and not just to come again."""
    if not ids:
        return frozenset()
    rows = yield from steps.fetch(
        f"SELECT instance_id, status FROM container_instances WHERE {dialect.member('instance_id', 1)}",  # noqa: S608 - the dialect's own
        list(ids),
    )
    there = {row["instance_id"] for row in rows if row["status"] != instance_rows.INACTIVE}
    return frozenset(ids) - there


def _current(sessions: dict[str, steps.Row], report: Reported) -> bool:
    row = sessions.get(report.instance_id)
    return row is not None and row["epoch"] == report.epoch


def _is_new(sessions: dict[str, steps.Row], report: Reported) -> bool:
    recorded: int = sessions[report.instance_id]["recorded_report"]
    return report.report.number > recorded


def _answer(sessions: dict[str, steps.Row], report: Reported, gone: frozenset[str]) -> Recorded | Fenced:
    if _current(sessions, report):
        return Recorded(max(report.report.number, sessions[report.instance_id]["recorded_report"]))
    row = sessions.get(report.instance_id)
    return Fenced(holder=row["process_id"] if row is not None else "", gone=report.instance_id in gone)


def _known(
    dialect: Dialect, cluster: str, reports: Sequence[Reported]
) -> steps.Step[tuple[dict[str, tasks.Observation], dict[str, str]]]:
    """What is stored of the reported tasks, and which instance each of the others was placed on."""
    ids = {task.task_id for report in reports for task in report.report.tasks if observation.fault(task) is None}
    of_tails = {tail.task_id for report in reports for tail in report.report.log_tails if log_tails.fault(tail) is None}
    stored = yield from tasks.observations(dialect, list(ids))
    homes = {task_id: row.instance_id for task_id, row in stored.items()}
    fresh = [task_id for task_id in ids | of_tails if task_id not in stored]
    if fresh:
        rows = yield from steps.fetch(
            f"SELECT task_id, instance_id FROM task_intents WHERE {dialect.member('task_id', 2)} AND cluster = $1",  # noqa: S608 - the dialect's own
            cluster,
            fresh,
        )
        homes |= {row["task_id"]: row["instance_id"] for row in rows}
    return stored, homes


def _merged(
    cluster: str,
    reports: Sequence[Reported],
    stored: dict[str, tasks.Observation],
    homes: dict[str, str],
    *,
    now: int,
) -> Iterator[observation.Change | Dropped]:
    """A change for each observation that is news; a drop for each that is none of this instance's business."""
    seen: set[str] = set()
    for report in reports:
        for task in report.report.tasks:
            why = observation.fault(task) or _stranger(task.task_id, report.instance_id, homes)
            if why is None and task.task_id in seen:
                why = "the report has it twice"
            if why is not None:
                yield Dropped(report.instance_id, task.task_id, why)
                continue
            seen.add(task.task_id)
            home = observation.Task(task.task_id, cluster, report.instance_id)
            change = observation.merge(stored.get(task.task_id), task, task=home, now=now)
            if change is not None:
                yield change


def _tails(reports: Sequence[Reported], homes: dict[str, str], dropped: list[Dropped]) -> Iterator[log_pb2.LogTail]:
    """The last lines of containers of the instance's own tasks; a drop for each of the others."""
    for report in reports:
        for tail in report.report.log_tails:
            why = log_tails.fault(tail) or _stranger(tail.task_id, report.instance_id, homes)
            if why is None:
                yield tail
            else:
                dropped.append(Dropped(report.instance_id, tail.task_id, why))


def _stranger(task_id: str, instance_id: str, homes: dict[str, str]) -> str | None:
    home = homes.get(task_id)
    if home is None:
        return "no such task was placed in this cluster"
    return None if home == instance_id else f"it is a task of instance {home}"


def _count(reports: Sequence[Reported], changes: Sequence[observation.Change]) -> steps.Step[None]:
    counters = recording.counted(changes)
    nothing = recording.Counters()
    yield from steps.update_many(
        "instance_sessions",
        ("instance_id",),
        ("recorded_report", ("running", "add"), ("left_pending", "add")),
        [
            (
                report.instance_id,
                report.report.number,
                counters.get(report.instance_id, nothing).running,
                counters.get(report.instance_id, nothing).left_pending,
            )
            for report in reports
        ],
    )
