"""Who speaks for an instance: the transactions that open a session and that disconnect an instance.

Both raise the session's epoch, so what an older session still says is recorded no more. Only a change of the connection bumps the
membership and makes an event: a reconnection does not flap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import caller
from longshore.state_tracker import committed, instance_rows
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2
from longshore.views import container_instance

# Nobody asked for it: an agent came or went.
NOBODY = caller.Caller(principal="", request_id="", region="")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session that an agent wants to open, its credential checked."""

    instance_id: str
    process_id: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session is open. `before` is the agent process that spoke last, empty where none did."""

    epoch: int
    recorded_report: int
    instance_version: int
    before: str


@dataclass(frozen=True, slots=True)
class Openings:
    """What became of a batch, by instance. Missing: deregistered. `again`: it was disconnected meanwhile, try once more."""

    opened: dict[str, Opened]
    again: frozenset[str]
    committed: committed.Committed | None


@dataclass(frozen=True, slots=True)
class Silent:
    """An instance whose session with this epoch has not been heard for a lease."""

    instance_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Disconnections:
    """The instances that were disconnected; the others have another session, or their tracker lives."""

    instance_ids: frozenset[str]
    committed: committed.Committed | None


def open_sessions(dialect: Dialect, cluster: str, wanted: Sequence[Wanted], *, tracker_id: str) -> steps.Step[Openings]:
    """Open a session for each; each instance occurs once."""
    ids = [want.instance_id for want in wanted]
    before = yield from instance_rows.by_ids(dialect, ids)
    joins = any(instance.active and not instance.stored.connected for instance in before.values())
    membership = (yield from instance_rows.bump(cluster)) if joins else None
    instances = yield from instance_rows.locked(dialect, ids)
    sessions = yield from _locked_sessions(dialect, ids)
    again = frozenset(
        instance_id
        for instance_id, instance in instances.items()
        if instance.active and not instance.stored.connected and membership is None
    )
    taken = [want for want in wanted if want.instance_id in instances and want.instance_id not in again]
    taken = [want for want in taken if instances[want.instance_id].active]
    yield from steps.update_many(
        "instance_sessions",
        ("instance_id",),
        ("tracker_id", "process_id", ("epoch", "add")),
        [(want.instance_id, tracker_id, want.process_id, 1) for want in taken],
    )
    joining = [instances[want.instance_id].stored for want in taken if not instances[want.instance_id].stored.connected]
    seized = [want for want in taken if _seizes(want, instances[want.instance_id].stored, sessions, tracker_id)]
    changes: list[event_pb2.ContainerInstanceEvent] = []
    if membership is not None and joining:
        changes += yield from _connect(dialect, joining, membership)
    if seized:
        changes += yield from _seize(dialect, instances, seized)
    done = (yield from committed.instances_changed(dialect, cluster, changes, who=NOBODY)) if changes else None
    changed = {change.container_instance_id for change in changes}
    opened = {
        want.instance_id: Opened(
            epoch=sessions[want.instance_id]["epoch"] + 1,
            recorded_report=sessions[want.instance_id]["recorded_report"],
            instance_version=instances[want.instance_id].stored.version + (want.instance_id in changed),
            before=sessions[want.instance_id]["process_id"],
        )
        for want in taken
    }
    return Openings(opened, again, done)


def disconnect(
    dialect: Dialect, cluster: str, silent: Sequence[Silent], *, tracker_id: str
) -> steps.Step[Disconnections]:
    """Disconnect those whose session is still the one that was silent, and is this tracker's or nobody's any more."""
    due = yield from _due(dialect, silent, tracker_id)
    if not due:
        return Disconnections(frozenset(), None)
    membership = yield from instance_rows.bump(cluster)
    instances = yield from instance_rows.locked(dialect, sorted(due))
    yield from _locked_sessions(dialect, sorted(due))
    due &= yield from _due(dialect, silent, tracker_id)
    leaving = [instances[instance_id].stored for instance_id in sorted(due)]
    if not leaving:
        return Disconnections(frozenset(), None)
    yield from steps.update_many(
        "instance_sessions", ("instance_id",), (("epoch", "add"),), [(stored.instance_id, 1) for stored in leaving]
    )
    yield from steps.execute(
        f"UPDATE container_instances SET connected = 0, disconnected_at = {dialect.now}, version = version + 1,"  # noqa: S608 - the dialect's own
        f" membership_revision = $2 WHERE {dialect.member('instance_id', 1)}",
        [stored.instance_id for stored in leaving],
        membership,
    )
    changes = _changes(leaving, membership, connected=False)
    done = yield from committed.instances_changed(dialect, cluster, changes, who=NOBODY)
    return Disconnections(frozenset(due), done)


def _seizes(
    want: Wanted, stored: container_instance.Stored, sessions: Mapping[str, steps.Row], tracker_id: str
) -> bool:
    """Whether another agent process speaks for the instance by now, through another tracker, which has to hear of it."""
    session = sessions[want.instance_id]
    return (
        stored.connected
        and session["process_id"] not in {"", want.process_id}
        and session["tracker_id"] not in {"", tracker_id}
    )


def _seize(
    dialect: Dialect, instances: Mapping[str, instance_rows.Instance], seized: Sequence[Wanted]
) -> steps.Step[list[event_pb2.ContainerInstanceEvent]]:
    """Let the log say who speaks for an instance now.

    What is placed later comes later in the log: a tracker that still holds the older process's session ends it before it could
    forward that, so no task is given to both.
    """
    yield from steps.execute(
        f"UPDATE container_instances SET version = version + 1 WHERE {dialect.member('instance_id', 1)}",  # noqa: S608 - the dialect's own
        [want.instance_id for want in seized],
    )
    changes = _changes([instances[want.instance_id].stored for want in seized], 0, connected=True)
    for want, change in zip(seized, changes, strict=True):
        change.agent_process_id = want.process_id
    return changes


def _connect(
    dialect: Dialect, joining: Sequence[container_instance.Stored], membership: int
) -> steps.Step[list[event_pb2.ContainerInstanceEvent]]:
    yield from steps.execute(
        f"UPDATE container_instances SET connected = 1, given_up = 0, connected_at = {dialect.now}, version = version + 1,"  # noqa: S608 - the dialect's own
        f" membership_revision = $2 WHERE {dialect.member('instance_id', 1)}",
        [stored.instance_id for stored in joining],
        membership,
    )
    return _changes(joining, membership, connected=True)


def _changes(
    instances: Sequence[container_instance.Stored], membership: int, *, connected: bool
) -> list[event_pb2.ContainerInstanceEvent]:
    """The events of a change of connection that is written."""
    changes = []
    for stored in instances:
        change = instance_rows.event(stored, membership)
        change.version += 1
        change.agent_connected = connected
        changes.append(change)
    return changes


def _due(dialect: Dialect, silent: Sequence[Silent], tracker_id: str) -> steps.Step[set[str]]:
    rows = yield from steps.fetch(
        "SELECT s.instance_id, s.epoch FROM instance_sessions s"  # noqa: S608 - the dialect's own
        " JOIN container_instances c ON c.instance_id = s.instance_id"
        " LEFT JOIN trackers t ON t.tracker_id = s.tracker_id"
        f" WHERE {dialect.member('s.instance_id', 1)} AND c.connected = 1 AND c.status <> $3"
        f" AND (s.tracker_id = $2 OR t.tracker_id IS NULL OR t.expires_at < {dialect.now})",
        [session.instance_id for session in silent],
        tracker_id,
        instance_rows.INACTIVE,
    )
    expected = {session.instance_id: session.epoch for session in silent}
    return {row["instance_id"] for row in rows if row["epoch"] == expected[row["instance_id"]]}


def _locked_sessions(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, steps.Row]]:
    rows = yield from steps.fetch(
        "SELECT instance_id, epoch, tracker_id, process_id, recorded_report FROM instance_sessions"  # noqa: S608 - the dialect's own
        f" WHERE {dialect.member('instance_id', 1)} ORDER BY instance_id {dialect.exclusive_lock}",
        list(ids),
    )
    return {row["instance_id"]: row for row in rows}
