"""RegisterContainerInstance: a host joins a cluster, or says again what it has."""

import functools
import random
import secrets
from dataclasses import dataclass, replace

from longshore.events.bus import Bus
from longshore.rpc import caller, errors, ids
from longshore.state_tracker import committed, instance_rows, instance_rules, openings, scope, tags
from longshore.storage import log, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2
from longshore.views import container_instance

# Random bytes of a credential.
CREDENTIAL_BYTES = 32
# Randomness of an instance's id: as much as an id can hold.
SEED_BITS = 128

_ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE

Request = state_tracker_service_pb2.RegisterContainerInstanceRequest


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered instance as it is now."""

    stored: container_instance.Stored
    usage: container_instance.Usage
    committed: committed.Committed | None


class Registration:
    """Registers hosts."""

    def __init__(self, database: Database, bus: Bus, scopes: scope.Scopes) -> None:
        self._database = database
        self._bus = bus
        self._scopes = scopes

    async def register(self, request: Request) -> state_tracker_service_pb2.RegisterContainerInstanceResponse:
        """Register a host, for the first time or again."""
        cluster = self._scopes.cluster(request.cluster)
        instance_rules.check_resources(request.total_resources)
        instance_rules.check_attributes(request.attributes)
        instance_rules.check_versions(request.version_info)
        answer = state_tracker_service_pb2.RegisterContainerInstanceResponse()
        if request.container_instance_arn:
            instance_id = self._scopes.instance(request.container_instance_arn, cluster)
            done = await self._again(request, cluster, instance_id)
        else:
            answer.instance_credential = secrets.token_urlsafe(CREDENTIAL_BYTES)
            done = await self._first(request, cluster, answer.instance_credential)
        await committed.publish(self._bus, done.committed)
        answer.container_instance.CopyFrom(
            container_instance.render(done.stored, done.usage, place=self._scopes.place, tags=True)
        )
        return answer

    async def _first(self, request: Request, cluster: str, credential: str) -> Registered:
        instance_rules.check_custom_limit(request.attributes)
        tags.check(request.tags)
        body = container_instance_pb2.ContainerInstance(
            version_info=request.version_info,
            registered_resources=request.total_resources,
            attributes=sorted(map(instance_rules.bare, request.attributes), key=lambda attribute: attribute.name),
            tags=sorted(request.tags, key=lambda tag: tag.key),
        )
        _name(body, request)
        work = functools.partial(
            insert,
            cluster=cluster,
            body=body,
            credential_hash=openings.hashed(credential),
            seed=secrets.randbits(SEED_BITS),
            who=caller.current(),
        )
        return await self._database.run(work)

    async def _again(self, request: Request, cluster: str, instance_id: str) -> Registered:
        work = functools.partial(
            update, cluster=cluster, instance_id=instance_id, request=request, who=caller.current()
        )
        return await self._database.run(work)


def insert(
    dialect: Dialect,
    cluster: str,
    body: container_instance_pb2.ContainerInstance,
    credential_hash: bytes,
    seed: int,
    who: caller.Caller,
) -> steps.Step[Registered]:
    """A new instance: ACTIVE, and not connected until its agent says hello."""
    membership = yield from instance_rows.bump(cluster)
    yield from scope.locked(dialect, cluster)
    now: int = yield from steps.fetch_value(f"SELECT {dialect.now}")
    stored = container_instance.Stored(
        # Drawn from a seed, so that work which runs again makes the same id.
        instance_id=ids.new_id(now, random.Random(seed)),  # noqa: S311 - distinct, not secret
        cluster=cluster,
        status=_ACTIVE,
        status_reason="",
        connected=False,
        version=1,
        registered_at=now,
        body=body,
    )
    instance = instance_rows.Instance(stored, given_up=False, credential_hash=credential_hash)
    yield from instance_rows.insert(instance, membership)
    done = yield from committed.instances_changed(
        dialect, cluster, [instance_rows.event(stored, membership)], who=who, counts=log.Counts(instances=1)
    )
    return Registered(stored, container_instance.Usage(), done)


def update(
    dialect: Dialect, cluster: str, instance_id: str, request: Request, who: caller.Caller
) -> steps.Step[Registered]:
    """The same instance again: its resources, versions and built-in attributes as they are now, the rest as it was."""
    membership = yield from instance_rows.bump(cluster)
    yield from scope.locked(dialect, cluster)
    found = (yield from instance_rows.locked(dialect, [instance_id])).get(instance_id)
    if found is None or not found.active or found.stored.cluster != cluster:
        raise openings.not_found(instance_id)
    if not openings.credential_matches(request.instance_credential, found.credential_hash):
        raise errors.Unauthenticated(f"The credential is not that of container instance {instance_id}.")
    before = found.stored.body
    instance_rules.check_same_type(before.attributes, request.attributes)
    body = container_instance_pb2.ContainerInstance()
    body.CopyFrom(before)
    body.version_info.CopyFrom(request.version_info)
    del body.registered_resources[:]
    body.registered_resources.extend(request.total_resources)
    attributes = instance_rules.registered_attributes(
        before.attributes, [instance_rules.bare(attribute) for attribute in request.attributes]
    )
    del body.attributes[:]
    body.attributes.extend(attributes)
    _name(body, request)
    usage = yield from instance_rows.usage(dialect, [instance_id])
    if body == before:
        return Registered(found.stored, usage[instance_id], None)
    stored = replace(found.stored, body=body, version=found.stored.version + 1)
    yield from instance_rows.update([stored], membership)
    done = yield from committed.instances_changed(dialect, cluster, [instance_rows.event(stored, membership)], who=who)
    return Registered(stored, usage[instance_id], done)


def _name(body: container_instance_pb2.ContainerInstance, request: Request) -> None:
    """Keep the machine's own name, where it tells one."""
    if machine := instance_rules.machine_id(request.instance_identity_document):
        body.ec2_instance_id = machine
