"""What an instance should run, read from the tables: the rest after a revision, or everything.

It says what the scheduler's publications would have said, in the same bytes' form, so that a session does not care where an assignment
came from. A task whose release is recorded is in none: it must not be started a second time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.state_tracker import sessions
from longshore.storage import definitions, steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import agent_service_pb2, common_pb2, task_definition_pb2, task_pb2

# Tasks of one message. Revisions are not split, so a page can be longer by what one commit placed on the instance.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session lacks: everything after `after`; 0 asks for a full set.

    `lineage` is that of `after` as the agent knows it: 0 where it does not; None where the revision was sent in this session, so that
    there is nothing to doubt.
    """

    instance_id: str
    after: int
    lineage: int | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """The row of an instance's assignment: its newest revision, whose line goes on from `base`, up to which it was `former`'s."""

    revision: int
    lineage: int
    base: int
    former: int

    def knows(self, wanted: Wanted) -> bool:
        """Whether what the agent has is a moment of this assignment's past, so that it can go on from there. Pure."""
        if wanted.after > self.revision:
            return False
        if not wanted.lineage:
            return True
        if wanted.lineage == self.lineage:
            return True
        return wanted.lineage == self.former and wanted.after <= self.base

    def lineage_of(self, revision: int) -> int:
        """The line of a revision that is sent."""
        return self.lineage if revision > self.base else self.former


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one answer. `base` 0 is a full set; `more` says that the revision is not the newest."""

    base: int
    revision: int
    halves: tuple[tasks.Halves, ...]
    more: bool
    lineage: int = 0

    def definitions(self) -> set[definitions.Key]:
        """The definitions of the tasks to run."""
        return {
            definitions.Key(half.intent.family, half.intent.definition_revision)
            for half in self.halves
            if self.base == 0 or not _stops(half)
        }


def read(dialect: Dialect, wanted: Sequence[Wanted]) -> steps.Step[list[Rows]]:
    """The rows of what these sessions lack, in their order, in one snapshot. Those that lack nothing cost nothing by themselves."""
    ids = sorted({want.instance_id for want in wanted})
    rows = yield from steps.fetch(
        f"SELECT instance_id, revision, lineage, lineage_base, former_lineage FROM assignments WHERE {dialect.member('instance_id', 1)}",  # noqa: S608 - the dialect's own
        ids,
    )
    newest = {
        row["instance_id"]: Newest(row["revision"], row["lineage"], row["lineage_base"], row["former_lineage"])
        for row in rows
    }
    given_up = yield from _with_given_up(dialect, ids)
    found = []
    for want in wanted:
        one = yield from _read(want, newest.get(want.instance_id), given_up=want.instance_id in given_up)
        found.append(one)
    return found


def _read(wanted: Wanted, newest: Newest | None, *, given_up: bool) -> steps.Step[Rows]:
    if newest is None:
        return Rows(0, 0, (), more=False)  # never given work: nothing is to run there, whatever the agent knows
    known = newest.knows(wanted) and not given_up
    if known and wanted.after == newest.revision:
        return Rows(wanted.after, newest.revision, (), more=False)
    live = [half for half in (yield from tasks.live_on(wanted.instance_id)) if not _released(half)]
    if wanted.after == 0 or not known:
        return Rows(0, newest.revision, tuple(live), more=False, lineage=newest.lineage)
    news = sorted(
        (half for half in live if half.intent.assignment_revision > wanted.after),
        key=lambda half: (half.intent.assignment_revision, half.intent.task_id),
    )
    if len(news) <= PAGE:
        return Rows(wanted.after, newest.revision, tuple(news), more=False, lineage=newest.lineage)
    border = news[PAGE - 1].intent.assignment_revision
    page = tuple(half for half in news if half.intent.assignment_revision <= border)
    return Rows(wanted.after, border, page, more=len(page) < len(news), lineage=newest.lineage_of(border))


def render(
    rows: Rows, bodies: Mapping[definitions.Key, task_definition_pb2.TaskDefinition], *, after: int
) -> sessions.Read:
    """The message of the rows; without content where the session has everything."""
    if rows.base and rows.revision == after:
        return sessions.Read(after, b"")
    assignment = agent_service_pb2.Assignment(base_revision=rows.base, revision=rows.revision, lineage=rows.lineage)
    for key in sorted(rows.definitions()):
        body = bodies.get(key)
        if body is not None:
            assignment.definitions.add(key=_key(key), task_definition=body)
    full = rows.base == 0
    for half in rows.halves:
        if _stops(half) and not full:
            assignment.stops.add(task_id=half.intent.task_id)
        else:
            assignment.tasks.append(_assigned(half, stopping=_stops(half)))
    message = agent_service_pb2.SessionResponse(assignments=[assignment])
    return sessions.Read(rows.revision, message.SerializeToString(), rows.more)


def _with_given_up(dialect: Dialect, ids: Sequence[str]) -> steps.Step[frozenset[str]]:
    """Those with tasks that were declared stopped, and of which the agent has not said that they are gone. By the index over these."""
    rows = yield from steps.fetch(
        f"SELECT DISTINCT instance_id FROM task_observations WHERE {dialect.member('instance_id', 1)}"  # noqa: S608 - the dialect's own
        " AND released = 0 AND last_status = $2",
        list(ids),
        task_pb2.TASK_STATUS_STOPPED,
    )
    return frozenset(row["instance_id"] for row in rows)


def _assigned(half: tasks.Halves, *, stopping: bool) -> agent_service_pb2.AssignedTask:
    intent = half.intent
    record = intent.record()
    return agent_service_pb2.AssignedTask(
        task_id=intent.task_id,
        definition_key=_key(definitions.Key(intent.family, intent.definition_revision)),
        overrides=record.overrides if record.HasField("overrides") else None,
        group=intent.group_name,
        started_by=intent.started_by,
        request_id=record.request_id,
        cluster=intent.cluster,
        stopping=stopping,
        container_resources=record.container_resources,
        launch_type=common_pb2.LaunchType.ValueType(intent.launch_type),
    )


def _key(key: definitions.Key) -> str:
    return f"{key.family}:{key.revision}"


def _stops(half: tasks.Halves) -> bool:
    return half.intent.desired_status == task_pb2.DESIRED_STATUS_STOPPED or _stopped(half)


def _stopped(half: tasks.Halves) -> bool:
    return half.observation is not None and half.observation.last_status == task_pb2.TASK_STATUS_STOPPED


def _released(half: tasks.Halves) -> bool:
    return half.observation is not None and half.observation.released
