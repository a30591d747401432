"""What callers change of instances: state, deregistration, attributes, tags. Each is one transaction that binds later placements."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from longshore.events.bus import Bus
from longshore.rpc import caller, errors
from longshore.state_tracker import committed, giving_up, instance_rows, observation, openings, recording, scope
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, container_instance_pb2, event_pb2, task_pb2
from longshore.views import container_instance

FORCED = "Container instance deregistration forced by user"
"""ECS's reason of tasks whose instance was deregistered under them."""

Change = Callable[[container_instance.Stored], container_instance.Stored]
"""A pure change of an instance; the same object back means that nothing changes."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Instances as they are now, by id; unknown ones are left out, `inactive` were left alone."""

    instances: dict[str, container_instance.Stored]
    inactive: frozenset[str]
    usage: dict[str, container_instance.Usage]
    committed: committed.Committed | None


class InstanceChanges:
    """Runs changes and publishes them."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    async def change(self, cluster: str, ids: Sequence[str], change: Change, *, required: bool = False) -> Changed:
        """Apply a change to the ACTIVE and DRAINING ones among some instances of a cluster; `required`: to all or none."""
        return await self._run(
            functools.partial(apply, cluster=cluster, ids=ids, change=change, required=required, who=caller.current())
        )

    async def drain_itself(self, cluster: str, instance_id: str, credential: str) -> Changed:
        """Make an instance DRAINING on the word of its own agent. Raises Unauthenticated."""
        who = dataclasses.replace(caller.current(), principal=f"instance:{instance_id}")
        change = to_state(container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING)
        return await self._run(
            functools.partial(
                apply,
                cluster=cluster,
                ids=[instance_id],
                change=change,
                required=False,
                who=who,
                credential=credential,
            )
        )

    async def deregister(self, cluster: str, instance_id: str, *, force: bool) -> Changed:
        """Deregister an instance; its sessions end when they hear of it."""
        return await self._run(
            functools.partial(deregister, cluster=cluster, instance_id=instance_id, force=force, who=caller.current())
        )

    async def _run(self, work: Callable[[Dialect], steps.Step[Changed]]) -> Changed:
        done = await self._database.run(work)
        await committed.publish(self._bus, done.committed)
        return done


def apply(
    dialect: Dialect,
    cluster: str,
    ids: Sequence[str],
    change: Change,
    *,
    required: bool,
    who: caller.Caller,
    credential: str | None = None,
) -> steps.Step[Changed]:
    """One transaction: membership, the rows, the change, the events. A credential has to be that of each instance."""
    membership = yield from instance_rows.bump(cluster)
    yield from scope.locked(dialect, cluster)
    found = yield from instance_rows.locked(dialect, ids)
    mine = {key: instance for key, instance in found.items() if instance.stored.cluster == cluster}
    if required:
        _check_all_there(cluster, ids, mine)
    for instance_id, instance in mine.items():
        if credential is not None and not openings.credential_matches(credential, instance.credential_hash):
            raise errors.Unauthenticated(f"The credential is not that of container instance {instance_id}.")
    after: dict[str, container_instance.Stored] = {}
    changed: list[container_instance.Stored] = []
    for instance_id, instance in mine.items():
        after[instance_id] = instance.stored
        if instance.active and (new := change(instance.stored)) is not instance.stored:
            after[instance_id] = replace(new, version=instance.stored.version + 1)
            changed.append(after[instance_id])
    yield from instance_rows.update(changed, membership)
    usage = yield from instance_rows.usage(dialect, list(after))
    done = None
    if changed:
        events = [instance_rows.event(stored, membership) for stored in changed]
        done = yield from committed.instances_changed(dialect, cluster, events, who=who)
    inactive = frozenset(instance_id for instance_id, instance in mine.items() if not instance.active)
    return Changed(after, inactive, usage, done)


def to_state(status: container_instance_pb2.ContainerInstanceStatus.ValueType) -> Change:
    """Make instances ACTIVE or DRAINING."""
    return lambda stored: stored if stored.status == status else replace(stored, status=status)


def with_attributes(
    stored: container_instance.Stored, attributes: Sequence[common_pb2.Attribute]
) -> container_instance.Stored:
    """The instance with these attributes; itself where they are the ones it has."""
    return stored if list(attributes) == list(stored.body.attributes) else _with(stored, attributes=attributes)


def to_tags(tags: Callable[[Sequence[common_pb2.Tag]], Sequence[common_pb2.Tag]]) -> Change:
    """Replace tags by what a function makes of them."""

    def change(stored: container_instance.Stored) -> container_instance.Stored:
        after = list(tags(stored.body.tags))
        return stored if after == list(stored.body.tags) else _with(stored, tags=after)

    return change


def deregister(
    dialect: Dialect, cluster: str, instance_id: str, *, force: bool, who: caller.Caller
) -> steps.Step[Changed]:
    """Make an instance INACTIVE. With tasks that are not released only by force, which declares them stopped and released."""
    membership = yield from instance_rows.bump(cluster)
    yield from scope.locked(dialect, cluster)
    instance = (yield from instance_rows.locked(dialect, [instance_id])).get(instance_id)
    if instance is None or instance.stored.cluster != cluster:
        raise errors.InvalidParameterException("Referenced container instance not found.", instance=instance_id)
    if not instance.active:  # the answer of an earlier call was lost
        usage = yield from instance_rows.usage(dialect, [instance_id])
        return Changed({instance_id: instance.stored}, frozenset({instance_id}), usage, None)
    yield from giving_up.lock_session(dialect, instance_id)
    now: int = yield from steps.fetch_value(f"SELECT {dialect.now}")
    end = observation.End(task_pb2.TASK_STOP_CODE_USER_INITIATED, FORCED, released=True)
    ended = yield from giving_up.end_tasks(cluster, instance_id, end, now=now)
    if ended and not force:
        raise errors.InvalidParameterException(
            f"Found running tasks on the instance. {len(ended)} of its tasks are not released; "
            "wait for their end, stop them, or use force.",
            tasks=len(ended),
        )
    stored = replace(
        instance.stored,
        status=instance_rows.INACTIVE,
        connected=False,
        disconnected_at=now,
        version=instance.stored.version + 1,
    )
    yield from instance_rows.update([stored], membership)
    yield from steps.execute(
        "UPDATE container_instances SET connected = 0, disconnected_at = $2 WHERE instance_id = $1", instance_id, now
    )
    yield from steps.execute("UPDATE instance_sessions SET epoch = epoch + 1 WHERE instance_id = $1", instance_id)
    done = yield from _announce(dialect, cluster, stored, membership, ended, who)
    usage = yield from instance_rows.usage(dialect, [instance_id])
    return Changed({instance_id: stored}, frozenset(), usage, done)


def _check_all_there(cluster: str, ids: Sequence[str], found: dict[str, instance_rows.Instance]) -> None:
    for instance_id in ids:
        if instance_id not in found or not found[instance_id].active:
            raise errors.TargetNotFoundException(
                f"There is no container instance {instance_id} in cluster {cluster}, or it was deregistered.",
                target=instance_id,
            )


def _announce(
    dialect: Dialect,
    cluster: str,
    stored: container_instance.Stored,
    membership: int,
    ended: Sequence[observation.Change],
    who: caller.Caller,
) -> steps.Step[committed.Committed]:
    """The instance's event and those of its tasks, under one head."""
    return (
        yield from recording.append_events(
            dialect,
            cluster,
            ended,
            who=who,
            instances=-1,
            before=(event_pb2.Event(container_instance=instance_rows.event(stored, membership)),),
        )
    )


def _with(
    stored: container_instance.Stored,
    *,
    attributes: Sequence[common_pb2.Attribute] | None = None,
    tags: Sequence[common_pb2.Tag] | None = None,
) -> container_instance.Stored:
    body = container_instance_pb2.ContainerInstance()
    body.CopyFrom(stored.body)
    if attributes is not None:
        del body.attributes[:]
        body.attributes.extend(attributes)
    if tags is not None:
        del body.tags[:]
        body.tags.extend(tags)
    return replace(stored, body=body)
