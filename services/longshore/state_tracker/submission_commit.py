"""The transaction that records what hosts without a session said: fenced by the absence of a session, merged, counted, logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import caller
from longshore.state_tracker import committed, observation, recording, submissions
from longshore.storage import steps, tasks
from longshore.storage.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Submitted:
    """One submission, the instance of its task, its definition's essential containers, and who said it."""

    said: submissions.Submission
    instance_id: str
    essentials: frozenset[str]
    who: caller.Caller


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: the instances that have a session, whose submissions were not taken; the commit's events."""

    spoken_for: frozenset[str]
    changed: int
    committed: committed.Committed | None


def commit(dialect: Dialect, cluster: str, batch: Sequence[Submitted]) -> steps.Step[Outcome]:
    """Record what may be recorded. Each task occurs once; docs/design/agent-session.md has the order of the locks."""
    ids = sorted({item.instance_id for item in batch})
    # Opening, disconnection and deregistration hold this row when they change `connected`: what is read now stays so.
    rows = yield from steps.fetch(
        f"SELECT instance_id, {dialect.now} AS now FROM instance_sessions"  # noqa: S608 - the dialect's own
        f" WHERE {dialect.member('instance_id', 1)} ORDER BY instance_id {dialect.exclusive_lock}",
        ids,
    )
    connected = yield from steps.fetch(
        f"SELECT instance_id FROM container_instances WHERE {dialect.member('instance_id', 1)} AND connected = 1",  # noqa: S608 - the dialect's own
        ids,
    )
    spoken_for = frozenset(row["instance_id"] for row in connected)
    taken = [item for item in batch if item.instance_id not in spoken_for]
    if not taken:
        return Outcome(spoken_for, 0, None)
    stored = yield from tasks.observations(dialect, [item.said.task_id for item in taken])
    changes = _merged(cluster, taken, stored, now=rows[0]["now"])
    if not changes:
        return Outcome(spoken_for, 0, None)
    yield from recording.write_observations(changes)
    counters = recording.counted(changes)
    yield from steps.update_many(
        "instance_sessions",
        ("instance_id",),
        ("process_id", ("running", "add"), ("left_pending", "add")),
        [(key, "", mine.running, mine.left_pending) for key, mine in sorted(counters.items())],
    )
    authors = {item.said.task_id: item.who for item in taken}
    done = yield from recording.append_events(dialect, cluster, changes, authors=authors)
    return Outcome(spoken_for, len(changes), done)


def _merged(
    cluster: str, taken: Sequence[Submitted], stored: Mapping[str, tasks.Observation], *, now: int
) -> list[observation.Change]:
    changes = []
    for item in taken:
        before = stored.get(item.said.task_id)
        change = observation.merge(
            before,
            submissions.observation(item.said, before, item.essentials),
            task=observation.Task(item.said.task_id, cluster, item.instance_id),
            now=now,
        )
        if change is not None:
            changes.append(change)
    return changes
