"""The fenced transaction that makes a batch true: docs/design/placement.md, "The commit, step by step".

A generator of statements: it computes from rows and returns an Outcome, touches nothing shared, and may be run again from its start.
The order of its steps is the lock order of docs/design/storage.md; a request is committed whole or not at all.
"""

import dataclasses
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from longshore.rpc import errors
from longshore.scheduler import (
    capacity,
    definition_rules,
    instances,
    leadership,
    requirements,
    resources,
    snapshot,
    stops,
    tokens,
    waiting_record,
    waiting_rows,
    work,
)
from longshore.storage import clusters, definitions, held, log, ports, steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, record_pb2, task_definition_pb2, task_pb2
from longshore.views import visible

_MICROSECONDS = 1_000_000

_values = operator.attrgetter(*tasks.INTENT_COLUMNS)


@dataclass(slots=True)
class _Verdict:
    """Which placements go through, as far as is known."""

    kept: tuple[work.Decided, ...]
    deferred: set[int] = field(default_factory=set)
    behind: set[int] = field(default_factory=set)
    refused: dict[int, errors.ServiceError] = field(default_factory=dict)
    providers: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The capacity provider of each task, by its request's number; empty where there is none."""
    changed: tuple[instances.Instance, ...] = ()
    seen: int = 0

    def drop(self) -> None:
        """Leave out what was deferred or refused."""
        gone = self.deferred | self.refused.keys()
        self.kept = tuple(decided for decided in self.kept if decided.number not in gone)


def commit(dialect: Dialect, batch: work.Batch) -> steps.Step[work.Outcome]:
    """Commit what still holds of a batch. Raises leadership.Deposed, with nothing written, where another leads."""
    now = yield from leadership.hold(dialect, batch.cluster, batch.holder, batch.epoch)
    verdict = _Verdict(batch.placements, seen=batch.footing.seen)
    if batch.placements:
        yield from _check_membership(dialect, batch, verdict)
        yield from _check_ports(dialect, verdict)
        yield from _check_cluster(dialect, batch.cluster, verdict)
        yield from _check_definitions(dialect, verdict)
    intents = {
        decided.number: _intents(batch.cluster, decided, verdict.providers[decided.number], now)
        for decided in verdict.kept
    }
    answers = yield from _remember_answers(dialect, batch.cluster, verdict.kept, intents, now)
    stopping = yield from stops.lock(dialect, batch.cluster, batch.stops)
    raised = yield from raise_assignments(dialect, batch.cluster, batch.holder, intents, stopping.acting)
    intents = {number: _numbered(group, raised) for number, group in intents.items()}
    yield from steps.insert_many(
        "task_intents", tasks.INTENT_COLUMNS, [_row(intent) for group in intents.values() for intent in group]
    )
    stopped = yield from stops.write(dialect, stopping, raised, now)
    waiting = waiting_requests(verdict.kept, intents, now)
    yield from waiting_rows.insert(batch.cluster, list(waiting.values()))
    head, events = yield from _tell(dialect, batch, verdict.kept, intents, stopped, waiting)
    return work.Outcome(
        head=head,
        intents=intents,
        answers=answers,
        deferred=frozenset(verdict.deferred),
        behind=frozenset(verdict.behind),
        refused=verdict.refused,
        stopped=stopped,
        known=stopping.known,
        assignments=raised,
        events=events,
        changed=verdict.changed,
        seen=verdict.seen,
        waiting=waiting,
    )


def waiting_requests(
    kept: Iterable[work.Decided], intents: Mapping[int, tuple[tasks.Intent, ...]], now: int
) -> dict[int, waiting_rows.Request]:
    """What waits for capacity of new requests, by their numbers."""
    found: dict[int, waiting_rows.Request] = {}
    for decided in kept:
        wait = decided.wanted.asked.wait
        ids = tuple(intent.task_id for intent in intents[decided.number] if not intent.instance_id)
        if ids and wait is not None:
            found[decided.number] = waiting_rows.Request(
                request_key=ids[0],
                priority=wait.priority,
                since=now,
                deadline=now + wait.timeout_s * _MICROSECONDS,
                reason=decided.reason,
                body=waiting_record.pack(decided.wanted, wait),
                tasks=ids,
            )
    return found


def still_fits(
    fact: instances.Instance,
    reserved: snapshot.Reserved,
    needs: requirements.Needs,
    given: Sequence[resources.Given] = (),
) -> bool:
    """Whether an instance that has changed since the decision still takes what was decided for it. Pure."""
    return (
        fact.placeable
        and not fact.lacks(needs.attributes)
        and reserved.cpu <= fact.cpu
        and reserved.memory <= fact.memory
        and fact.reserved_ports.isdisjoint(needs.ports)
        and all(_has(fact, reserved, one) for one in given)
    )


def _has(fact: instances.Instance, reserved: snapshot.Reserved, given: resources.Given) -> bool:
    """Whether an instance still offers what a container was given: these ids, or as many as are held."""
    offer = fact.offers.get(given.name, 0)
    if isinstance(offer, int):
        return resources.free(offer, reserved.named.get(given.name, resources.NOTHING)) >= 0
    return bool(given.ids) and set(given.ids) <= set(offer)


def _check_membership(dialect: Dialect, batch: work.Batch, verdict: _Verdict) -> steps.Step[None]:
    revision = yield from steps.fetch_value(
        f"SELECT revision FROM membership WHERE cluster = $1 {dialect.share_lock}",  # noqa: S608 - the dialect's own
        batch.cluster,
    )
    if revision is None or revision == batch.footing.seen:
        return
    rows = yield from instances.changed(batch.cluster, batch.footing.seen)
    verdict.changed = tuple(instances.parse(row) for row in rows)
    verdict.seen = revision
    facts = {fact.instance_id: fact for fact in verdict.changed}
    for decided in verdict.kept:
        for slot in decided.slots:
            fact = facts.get(slot.instance_id)
            if fact is not None and not still_fits(
                fact, batch.footing.reserved[slot.instance_id], decided.wanted.needs, slot.given
            ):
                verdict.deferred.add(decided.number)
    verdict.drop()


def _check_ports(dialect: Dialect, verdict: _Verdict) -> steps.Step[None]:
    """Set aside what wants a static port that an agent has reported as taken, and the view may not have heard of yet."""
    concerned = {slot.instance_id for decided in verdict.kept if decided.wanted.needs.ports for slot in decided.slots}
    taken = yield from ports_taken(dialect, sorted(concerned))
    for decided in verdict.kept:
        wanted = decided.wanted.needs.ports
        if any(not taken.get(slot.instance_id, frozenset()).isdisjoint(wanted) for slot in decided.slots):
            verdict.behind.add(decided.number)
    verdict.deferred |= verdict.behind
    verdict.drop()


def ports_taken(dialect: Dialect, instance_ids: Sequence[str]) -> steps.Step[dict[str, set[int]]]:
    """The host ports that the agents of instances have reported as taken, in the table as it is now."""
    if not instance_ids:
        return {}
    rows = yield from steps.fetch(
        f"SELECT instance_id, ports FROM task_observations WHERE {dialect.member('instance_id', 1)}"  # noqa: S608 - the dialect's own
        " AND released = 0 AND ports <> ''",
        list(instance_ids),
    )
    taken: dict[str, set[int]] = {}
    for row in rows:
        taken.setdefault(row["instance_id"], set()).update(ports.from_column(row["ports"]))
    return taken


def _check_cluster(dialect: Dialect, cluster: str, verdict: _Verdict) -> steps.Step[None]:
    found = yield from clusters.locked(dialect, cluster)
    if found is not None and found.active:
        _choose_capacity(found, verdict)
    else:
        for decided in verdict.kept:
            verdict.refused[decided.number] = errors.ClusterNotFoundException(
                "The referenced cluster was inactive.", cluster=cluster
            )
    verdict.drop()


def _choose_capacity(cluster: clusters.Cluster, verdict: _Verdict) -> None:
    """Name each task's capacity provider, of the cluster as it is now and until the commit."""
    record = cluster.record()
    for decided in verdict.kept:
        try:
            verdict.providers[decided.number] = capacity.providers(
                decided.wanted.asked.capacity, record, len(decided.slots)
            )
        except errors.InvalidParameterException as refusal:
            verdict.refused[decided.number] = refusal


def _check_definitions(dialect: Dialect, verdict: _Verdict) -> steps.Step[None]:
    keys = {decided.wanted.revision for decided in verdict.kept}
    statuses = yield from definitions.statuses(dialect, keys, locked=True)
    for decided in verdict.kept:
        if statuses.get(decided.wanted.revision) != task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE:
            verdict.refused[decided.number] = work.StaleDefinition(definition_rules.INACTIVE)
    verdict.drop()


def _intents(cluster: str, decided: work.Decided, providers: Sequence[str], now: int) -> tuple[tasks.Intent, ...]:
    wanted = decided.wanted
    taken = ports.to_column(wanted.needs.ports)
    return tuple(
        tasks.Intent(
            task_id=slot.task_id,
            cluster=cluster,
            instance_id=slot.instance_id,
            family=wanted.revision.family,
            definition_revision=wanted.revision.revision,
            group_name=wanted.asked.group,
            started_by=wanted.asked.started_by,
            launch_type=capacity.LAUNCH_TYPE if providers else wanted.asked.launch_type,
            desired_status=task_pb2.DESIRED_STATUS_RUNNING,
            stop_code=task_pb2.TASK_STOP_CODE_UNSPECIFIED,
            stopped_reason="",
            created_at=now,
            stopping_at=None,
            revision=1,
            assignment_revision=0,
            settled=False,
            cpu=wanted.needs.cpu,
            memory=wanted.needs.memory,
            ports=taken,
            body=wanted.body + own_part(providers[index] if providers else "", slot.given),
            resources=held.to_column(resources.amounts(slot.given)),
        )
        for index, slot in enumerate(decided.slots)
    )


def own_part(provider: str, given: Sequence[resources.Given]) -> bytes:
    """The part of a record that differs among a request's tasks: serialised messages that follow each other are one."""
    if not provider and not given:
        return b""
    own = record_pb2.TaskIntentRecord(capacity_provider_name=provider)
    for one in given:
        if not one.ids:
            continue  # only counted: there is nothing to tell the agent
        own.container_resources.add(container_name=one.container, type=one.name, ids=one.ids)
    return own.SerializeToString()


def _numbered(group: Iterable[tasks.Intent], raised: Mapping[str, work.Raised]) -> tuple[tasks.Intent, ...]:
    """The intents with the revision of the assignment that carries them; of those that wait none does."""
    return tuple(
        dataclasses.replace(intent, assignment_revision=raised[intent.instance_id].revision)
        if intent.instance_id
        else intent
        for intent in group
    )


_SETTLED = tasks.INTENT_COLUMNS.index("settled")


def _row(intent: tasks.Intent) -> tuple[object, ...]:
    """The values of a new row; booleans are numbers in the tables."""
    values = _values(intent)
    return (*values[:_SETTLED], int(intent.settled), *values[_SETTLED + 1 :])


def _remember_answers(
    dialect: Dialect,
    cluster: str,
    kept: Sequence[work.Decided],
    intents: Mapping[int, tuple[tasks.Intent, ...]],
    now: int,
) -> steps.Step[dict[int, bytes]]:
    if not any(decided.answer for decided in kept):
        return {}
    # The cursor of a repeated answer: a position before our own events, since theirs are numbered last of all.
    cursor = yield from log.sequence_of(cluster)
    answers: dict[int, bytes] = {}
    new: list[tuple[tokens.Key, tokens.Remembered]] = []
    for decided in kept:
        claim = decided.wanted.claim
        if decided.answer is not None and claim is not None:
            answer = answers[decided.number] = decided.answer(intents[decided.number], cursor)
            new.append((claim.key, tokens.Remembered(claim.fingerprint, answer)))
    yield from tokens.insert(dialect, new, now)
    return answers


def raise_assignments(
    dialect: Dialect,
    cluster: str,
    holder: str,
    intents: Mapping[int, tuple[tasks.Intent, ...]],
    stopping: Iterable[tasks.Intent],
) -> steps.Step[dict[str, work.Raised]]:
    """Move the assignment of each instance concerned by one, however many tasks it gets or loses; tasks that wait concern none."""
    lineage = leadership.lineage(holder)
    placed: dict[str, int] = {intent.instance_id: 0 for intent in stopping}
    for group in intents.values():
        for intent in group:
            placed[intent.instance_id] = placed.get(intent.instance_id, 0) + 1
    placed.pop("", None)
    if not placed:
        return {}
    rows = yield from steps.fetch(
        f"SELECT instance_id, revision, lineage FROM assignments WHERE {dialect.member('instance_id', 1)} ORDER BY instance_id"  # noqa: S608 - the dialect's own
        f" {dialect.exclusive_lock}",
        sorted(placed),
    )
    raised = {row["instance_id"]: work.Raised(row["revision"], row["revision"] + 1) for row in rows}
    yield from steps.update_many(
        "assignments",
        ("instance_id",),
        ("revision", ("placed", "add")),
        [(instance_id, moved.revision, placed[instance_id]) for instance_id, moved in raised.items()],
    )
    # Once for each instance and process: the revisions from here on are of this line.
    yield from steps.update_many(
        "assignments",
        ("instance_id",),
        ("lineage", "lineage_base", "former_lineage"),
        [(row["instance_id"], lineage, row["revision"], row["lineage"]) for row in rows if row["lineage"] != lineage],
    )
    new = sorted(placed.keys() - raised.keys())
    yield from steps.insert_many(
        "assignments",
        ("instance_id", "cluster", "revision", "placed", "lineage"),
        [(instance_id, cluster, 1, placed[instance_id], lineage) for instance_id in new],
    )
    return raised | {instance_id: work.Raised(0, 1) for instance_id in new}


def _tell(
    dialect: Dialect,
    batch: work.Batch,
    kept: Sequence[work.Decided],
    intents: Mapping[int, tuple[tasks.Intent, ...]],
    stopped: Mapping[str, tasks.Intent],
    waiting: Mapping[int, waiting_rows.Request],
) -> steps.Step[tuple[log.Head | None, tuple[event_pb2.Event, ...]]]:
    """Take the log's head, build the events, append them. The last steps before the commit."""
    places = {number: request.place for number, request in waiting.items()}
    events = [
        event_of(
            decided.wanted.cause,
            visible.task_event(intent, None, place=None if intent.instance_id else places.get(decided.number)),
        )
        for decided in kept
        for intent in intents[decided.number]
    ]
    made = len(events)
    if not made and not stopped:
        return None, ()
    placed = made - sum(len(request.tasks) for request in waiting.values())
    unplaced = sum(
        not intent.instance_id for intent in stopped.values()
    )  # their end is the request's; no agent tells of it
    counts = log.Counts(pending=placed, stopped=unplaced)
    head = yield from log.take(dialect, batch.cluster, made + len(stopped), counts)
    if stopped:
        causes = {stop.task_id: stop.cause for stop in reversed(batch.stops)}
        # Only now, with the head locked: whoever moves an observation needs the head as well.
        observed = yield from tasks.observations(dialect, sorted(stopped))
        events += [
            event_of(causes[task_id], visible.task_event(intent, observed.get(task_id)))
            for task_id, intent in sorted(stopped.items())
        ]
    yield from log.append(batch.cluster, head, events)
    return head, tuple(events)


def event_of(cause: work.Cause, change: event_pb2.TaskEvent) -> event_pb2.Event:
    """A task's event, with who caused it."""
    return event_pb2.Event(request_id=cause.request_id, principal=cause.principal, task=change)
