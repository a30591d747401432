"""The transactions of scheduler and state-tracker, reduced to what they lock, check and write, in the one lock order of docs/design/storage.md.

leases → membership → client_tokens → container_instances → instance_sessions → task_intents → assignments → task_observations → log_head
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from longshore.state_tracker import observation
from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, task_pb2
from tests.property.control_plane import tables
from tests.property.control_plane.rules import Rules
from tests.property.control_plane.tables import Mode, Work, lock, look, write

CLUSTER = "default"
LEASE_TICKS = 4
LEASE, MEMBERSHIP, HEAD = ("lease",), ("membership",), ("head",)

STOPPED = task_pb2.TASK_STATUS_STOPPED


@dataclass(frozen=True, slots=True)
class Lease:
    """Who decides."""

    holder: str = ""
    epoch: int = 0
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A host, as placement must know it. `changed`: the membership's revision at its last change."""

    connected: bool = False
    given_up: bool = False
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """Who speaks for it."""

    epoch: int = 0
    tracker: str = ""
    recorded: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """What is wanted of a task."""

    task: str
    instance: str
    token: str
    assignment: int
    wanted: bool = True
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log."""

    sequence: int
    kind: str
    subject: str
    instance: str
    base: int = 0
    revision: int = 0
    """From which to which revision of the instance's assignment it leads, where it does."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A commit of a placement: the task, and what is published."""

    task: str
    event: Event | None


def observed(rows: tables.Rows, task: str) -> tasks.Observation | None:
    """What was seen of a task."""
    found: tasks.Observation | None = rows.get(("observation", task))
    return found


def unreleased(rows: tables.Rows, instance: str) -> list[str]:
    """Tasks that take room on an instance."""
    return [
        row.task
        for key, row in rows.items()
        if key[0] == "intent"
        and row.instance == instance
        and not ((seen := observed(rows, row.task)) is not None and seen.released)
    ]


def append(kind: str, subject: str, instance: str, base: int = 0, revision: int = 0) -> Work[Event]:
    """Take the next number of the log and write the event: the last step before a commit."""
    head = (yield from lock(HEAD)) or 0
    event = Event(head + 1, kind, subject, instance, base, revision)
    yield from write(HEAD, head + 1)
    yield from write(("event", str(head + 1)), event)
    return event


# ------------------------------------------------------------------------------------------------ scheduler


def take_over(holder: str, clock: int) -> Work[Lease]:
    """Take the lease if it has run out; the one that stands then."""
    lease: Lease = (yield from lock(LEASE)) or Lease()
    if lease.expires <= clock:
        lease = Lease(holder, lease.epoch + 1, clock + LEASE_TICKS)
        yield from write(LEASE, lease)
    return lease


def renew(holder: str, epoch: int, clock: int) -> Work[bool]:
    """Renew a lease; whether it is still ours."""
    lease: Lease = (yield from lock(LEASE)) or Lease()
    if lease.holder != holder:
        return False
    yield from write(LEASE, dataclasses.replace(lease, expires=clock + LEASE_TICKS))
    return lease.epoch == epoch


def hold(rules: Rules, holder: str, epoch: int) -> Work[None]:
    """First step of what only the leader may commit. Raises Refused."""
    if rules.commit_locks_lease:
        lease = yield from lock(LEASE, Mode.SHARE)
    else:
        lease = yield from look(lambda rows: rows.get(LEASE))
    if rules.commit_checks_epoch and (lease is None or (lease.holder, lease.epoch) != (holder, epoch)):
        raise tables.Refused("deposed")


def quiesce(rules: Rules) -> Work[None]:
    """Wait for every commit that holds the lease, one of which nobody has heard included."""
    if rules.reload_waits:
        yield from lock(LEASE)


def place(rules: Rules, holder: str, epoch: int, seen: int, token: str, task: str, instance: str) -> Work[Placed]:
    """Commit a placement that was decided by a view of the membership's revision `seen`. Raises Refused."""
    yield from hold(rules, holder, epoch)
    if rules.commit_locks_membership:
        revision = (yield from lock(MEMBERSHIP, Mode.SHARE)) or 0
    else:
        revision = (yield from look(lambda rows: rows.get(MEMBERSHIP))) or 0
    if rules.commit_checks_membership and revision != seen:
        fact: Instance = yield from look(lambda rows: rows[("instance", instance)])
        if fact.changed > seen and not fact.connected:
            raise tables.Refused("deferred")
    if rules.token_in_commit:
        before = yield from lock(("token", token))
        if before is not None:
            return Placed(before, None)
        yield from write(("token", token), task)
    base, raised = yield from _raise(rules, instance)
    yield from lock(("intent", task))
    yield from write(("intent", task), Intent(task, instance, token, raised))
    event = yield from append("placed", task, instance, base, raised)
    return Placed(task, event)


def stop(rules: Rules, holder: str, epoch: int, task: str) -> Work[Event | None]:
    """Want a task no more. Raises Refused."""
    yield from hold(rules, holder, epoch)
    intent: Intent = yield from lock(("intent", task))
    if not intent.wanted:
        return None
    base, raised = yield from _raise(rules, intent.instance)
    yield from write(("intent", task), dataclasses.replace(intent, wanted=False, assignment=raised))
    return (yield from append("stopping", task, intent.instance, base, raised))


def _raise(rules: Rules, instance: str) -> Work[tuple[int, int]]:
    base = (yield from lock(("assignment", instance))) or 0
    raised = base + 1 if rules.revision_in_commit else max(base, 1)
    yield from write(("assignment", instance), raised)
    return base, raised


def settle(rules: Rules, holder: str, epoch: int, task: str) -> Work[str]:
    """Give back what a released task held; the task. Raises Refused."""
    yield from hold(rules, holder, epoch)
    intent: Intent = yield from lock(("intent", task))
    yield from write(("intent", task), dataclasses.replace(intent, settled=True))
    return task


# ------------------------------------------------------------------------------------------------ state-tracker


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened. `again`: the instance was disconnected meanwhile."""

    epoch: int
    recorded: int
    again: bool = False


def open_session(rules: Rules, tracker: str, instance: str) -> Work[Opened]:
    """An agent has come."""
    before: Instance = yield from look(lambda rows: rows[("instance", instance)])
    membership = None if before.connected else (yield from _bump())
    fact: Instance = yield from lock(("instance", instance))
    session: Session = (yield from lock(("session", instance))) or Session()
    if not fact.connected and membership is None:
        return Opened(0, 0, again=True)
    epoch = session.epoch + (1 if rules.hello_raises_epoch or session.epoch == 0 else 0)
    yield from write(("session", instance), dataclasses.replace(session, epoch=epoch, tracker=tracker))
    if not fact.connected:
        assert membership is not None
        yield from write(("instance", instance), Instance(connected=True, changed=membership))
        yield from append("connected", instance, instance)
    return Opened(epoch, session.recorded)


def _bump() -> Work[int]:
    revision = ((yield from lock(MEMBERSHIP)) or 0) + 1
    yield from write(MEMBERSHIP, revision)
    return revision


def disconnect(instance: str, epoch: int) -> Work[bool]:
    """A session was silent for its lease; whether it was still that one."""
    membership = yield from _bump()
    fact: Instance = yield from lock(("instance", instance))
    session: Session = (yield from lock(("session", instance))) or Session()
    if not fact.connected or session.epoch != epoch:
        return False
    yield from write(("session", instance), dataclasses.replace(session, epoch=epoch + 1))
    yield from write(("instance", instance), Instance(connected=False, changed=membership))
    yield from append("disconnected", instance, instance)
    return True


def give_up(rules: Rules, instance: str) -> Work[int]:
    """A host was away for too long: its tasks are declared stopped."""
    fact: Instance = yield from lock(("instance", instance))
    if fact.connected or fact.given_up:
        return 0
    yield from lock(("session", instance))
    yield from write(("instance", instance), dataclasses.replace(fact, given_up=True))
    end = observation.End(
        task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH, "given up", released=not rules.given_up_stays_counted
    )
    live: list[str] = yield from look(lambda rows: unreleased(rows, instance))
    changes = []
    for task in sorted(live):
        stored = yield from lock(("observation", task))
        changes.append(observation.end(stored, end, task=observation.Task(task, CLUSTER, instance), now=1))
    return (yield from _record(changes))


def record(rules: Rules, instance: str, epoch: int, report: agent_service_pb2.Report) -> Work[int]:
    """Record a report; up to which number all are recorded. Raises Refused where the session is over."""
    session: Session = (yield from lock(("session", instance))) or Session()
    if rules.report_checks_epoch and session.epoch != epoch:
        raise tables.Refused("fenced")
    if report.number <= session.recorded:
        return session.recorded
    changes = []
    for reported in sorted(report.tasks, key=lambda one: one.task_id):
        known: bool = yield from look(
            lambda rows, task=reported.task_id: (  # type: ignore[misc] # bound now
                (intent := rows.get(("intent", task))) is not None and intent.instance == instance
            )
        )
        if not known:
            continue  # dropped, the rest of the report counts
        stored = yield from lock(("observation", reported.task_id))
        home = observation.Task(reported.task_id, CLUSTER, instance)
        changes.append(observation.merge(stored, reported, task=home, now=1))
    yield from write(("session", instance), dataclasses.replace(session, recorded=report.number))
    yield from _record(changes)
    return report.number


def _record(changes: list[observation.Change | None]) -> Work[int]:
    written = [change.observation for change in changes if change is not None]
    for row in written:
        yield from write(("observation", row.task_id), row)
    for row in written:
        yield from append("released" if row.released else "observed", row.task_id, row.instance_id)
    return len(written)


def assignment(rules: Rules, rows: tables.Rows, instance: str, after: int) -> agent_service_pb2.Assignment | None:
    """What an agent lacks whose last revision is `after`: the rest, or everything; None where it lacks nothing."""
    newest = rows.get(("assignment", instance), 0)
    live = [row for key, row in rows.items() if key[0] == "intent" and row.instance == instance]
    seen: dict[str, Any] = {row.task: observed(rows, row.task) for row in live}
    live = [row for row in live if seen[row.task] is None or not seen[row.task].released]
    over = {row.task for row in live if seen[row.task] is not None and seen[row.task].last_status == STOPPED}
    given_up = rules.given_up_gets_full_set and bool(over)
    if after == newest and not given_up:
        return None
    full = after == 0 or after > newest or given_up
    made = agent_service_pb2.Assignment(base_revision=0 if full else after, revision=newest)
    for row in sorted(live, key=lambda row: row.task):
        if not full and row.assignment <= after:
            continue
        stopping = not row.wanted or row.task in over
        if stopping and not full:
            made.stops.add(task_id=row.task)
        else:
            made.tasks.add(task_id=row.task, stopping=stopping)
    return made
