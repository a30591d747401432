"""What a scheduler finds in its database: clusters, definitions, instances and releases, written as their owners write them."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from longshore.events import bus as buses
from longshore.storage import log, ports, steps, tasks
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import (
    agent_service_pb2,
    cluster_pb2,
    common_pb2,
    container_instance_pb2,
    event_pb2,
    record_pb2,
    registry_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from longshore.views import visible

ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
DRAINING = container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
INACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_INACTIVE
RESERVED_PORTS = ("22", "2375", "2376", "51678", "51679")


def definition(
    family: str = "app",
    revision: int = 1,
    *,
    cpu: int = 256,
    memory: int = 128,
    ports: Sequence[int] = (),
    attributes: Sequence[tuple[str, str | None]] = (),
    gpus: int = 0,
) -> task_definition_pb2.TaskDefinition:
    """A definition of one container."""
    made = task_definition_pb2.TaskDefinition(
        family=family,
        revision=revision,
        network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE,
        compatibilities=[common_pb2.COMPATIBILITY_EC2, common_pb2.COMPATIBILITY_EXTERNAL],
        container_definitions=[
            task_definition_pb2.ContainerDefinition(
                name="main",
                image="busybox",
                cpu=cpu,
                memory=memory,
                essential=True,
                port_mappings=[
                    task_definition_pb2.PortMapping(container_port=80 + index, host_port=port)
                    for index, port in enumerate(ports)
                ],
            )
        ],
    )
    if gpus:
        made.container_definitions[0].resource_requirements.add(type=common_pb2.RESOURCE_TYPE_GPU, value=str(gpus))
    for name, value in attributes:
        made.requires_attributes.add(name=name, value=value)
    return made


@dataclass
class World:
    """One cluster. Where a bus is given, what the state-tracker does is published on it, as it would be."""

    database: Database
    bus: buses.Bus | None = None
    cluster: str = "web"
    _ids: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    async def create_cluster(self, name: str | None = None) -> None:
        name = name or self.cluster

        def work(dialect: Dialect) -> steps.Step[None]:
            yield from steps.execute(
                f"INSERT INTO clusters (name, status, created_at, body) VALUES ($1, $2, {dialect.now}, $3)",  # noqa: S608
                name,
                cluster_pb2.CLUSTER_STATUS_ACTIVE,
                b"",
            )
            yield from log.create(name)

        await self.database.run(work)

    async def set_cluster_status(self, status: int) -> None:
        await self.database.run(
            lambda _: steps.execute("UPDATE clusters SET status = $2 WHERE name = $1", self.cluster, status)
        )

    async def register(self, made: task_definition_pb2.TaskDefinition, *, tags: Sequence[tuple[str, str]] = ()) -> None:
        packed = registry_service_pb2.ListTagsForResourceResponse(
            tags=[common_pb2.Tag(key=key, value=value) for key, value in tags]
        )

        def work(dialect: Dialect) -> steps.Step[None]:
            yield from steps.execute(
                "INSERT INTO task_definition_families (family, last_revision, active_revisions, latest_active)"
                " VALUES ($1, $2, 1, $2) ON CONFLICT (family) DO UPDATE SET latest_active = $2, last_revision = $2",
                made.family,
                made.revision,
            )
            yield from steps.execute(
                "INSERT INTO task_definitions (family, revision, status, registered_at, body, tags)"  # noqa: S608
                f" VALUES ($1, $2, $3, {dialect.now}, $4, $5)",
                made.family,
                made.revision,
                task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE,
                made.SerializeToString(),
                packed.SerializeToString(),
            )

        await self.database.run(work)

    def deregistering(self, family: str, revision: int, latest: int = 0) -> "steps.Step[None]":
        """What the registry does in its transaction."""
        yield from steps.execute(
            "UPDATE task_definition_families SET latest_active = $2 WHERE family = $1", family, latest
        )
        yield from steps.execute(
            "UPDATE task_definitions SET status = $3 WHERE family = $1 AND revision = $2",
            family,
            revision,
            task_definition_pb2.TASK_DEFINITION_STATUS_INACTIVE,
        )

    async def deregister(self, family: str, revision: int, latest: int = 0) -> None:
        await self.database.run(lambda _: self.deregistering(family, revision, latest))

    async def add_instance(
        self,
        name: str | None = None,
        *,
        cpu: int = 2048,
        memory: int = 4096,
        attributes: Sequence[tuple[str, str]] = (),
        status: int = ACTIVE,
        connected: bool = True,
        resources: Sequence[common_pb2.Resource] = (),
    ) -> str:
        instance_id = name or f"{next(iter(self._ids)):032x}"
        body = container_instance_pb2.ContainerInstance(
            registered_resources=[
                common_pb2.Resource(name="CPU", type="INTEGER", integer_value=cpu),
                common_pb2.Resource(name="MEMORY", type="INTEGER", integer_value=memory),
                common_pb2.Resource(name="PORTS", type="STRINGSET", string_set_value=RESERVED_PORTS),
                common_pb2.Resource(name="PORTS_UDP", type="STRINGSET"),
                *resources,
            ],
            attributes=[common_pb2.Attribute(name=key, value=value) for key, value in attributes],
        )

        def work(_: Dialect) -> steps.Step[record_pb2.Publication]:
            revision = yield from self._bump()
            yield from steps.execute(
                "INSERT INTO container_instances (instance_id, cluster, status, status_reason, connected, given_up,"
                " membership_revision, version, registered_at, connected_at, disconnected_at, credential_hash, body)"
                " VALUES ($1, $2, $3, '', $4, 0, $5, 1, 0, 1, NULL, $6, $7)",
                instance_id,
                self.cluster,
                status,
                int(connected),
                revision,
                b"",
                body.SerializeToString(),
            )
            return (yield from self._told(instance_id, status, connected, revision))

        await self._publish(await self.database.run(work))
        return instance_id

    def setting(
        self, instance_id: str, *, status: int = ACTIVE, connected: bool = True
    ) -> "steps.Step[record_pb2.Publication]":
        """What the state-tracker does in its transaction when an instance changes."""
        revision = yield from self._bump()
        yield from steps.execute(
            "UPDATE container_instances SET status = $2, connected = $3, membership_revision = $4, version = version + 1"
            " WHERE instance_id = $1",
            instance_id,
            status,
            int(connected),
            revision,
        )
        return (yield from self._told(instance_id, status, connected, revision))

    async def set_instance(self, instance_id: str, *, status: int = ACTIVE, connected: bool = True) -> None:
        told = await self.database.run(lambda _: self.setting(instance_id, status=status, connected=connected))
        await self._publish(told)

    def releasing(self, dialect: Dialect, task_id: str) -> "steps.Step[record_pb2.Publication]":
        """What the state-tracker does in its transaction when an agent reports the release of a task."""
        intent = (yield from tasks.intents(dialect, [task_id]))[task_id]
        yield from steps.execute(
            "INSERT INTO task_observations (task_id, cluster, instance_id, last_status, stop_code, stopped_reason,"
            " stop_cause_at, started_at, stopped_at, released, revision, body)"
            " VALUES ($1, $2, $3, $4, $5, 'Essential container in task exited', 1, 1, 1, 1, 1, $6)"
            " ON CONFLICT (task_id) DO UPDATE SET last_status = $4, stop_code = $5, released = 1, ports = '',"
            " revision = task_observations.revision + 1",
            task_id,
            self.cluster,
            intent.instance_id,
            task_pb2.TASK_STATUS_STOPPED,
            task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED,
            b"",
        )
        head = yield from log.take(dialect, self.cluster, 1)
        observed = (yield from tasks.observations(dialect, [task_id]))[task_id]
        event = event_pb2.Event(task=visible.task_event(intent, observed))
        yield from log.append(self.cluster, head, [event])
        return record_pb2.Publication(
            cluster=self.cluster, previous_sequence=head.previous, sequence=head.sequence, events=[event]
        )

    async def release(self, task_id: str) -> None:
        await self._publish(await self.database.run(lambda dialect: self.releasing(dialect, task_id)))

    def observing(
        self, dialect: Dialect, task_id: str, bindings: Sequence[task_pb2.NetworkBinding]
    ) -> "steps.Step[record_pb2.Publication]":
        """What the state-tracker does in its transaction when an agent reports that a task runs, with these ports."""
        intent = (yield from tasks.intents(dialect, [task_id]))[task_id]
        containers = [event_pb2.ContainerObservation(name="main", network_bindings=bindings)]
        yield from steps.execute(
            "INSERT INTO task_observations (task_id, cluster, instance_id, last_status, stop_code, stopped_reason,"
            " stop_cause_at, started_at, stopped_at, released, revision, body, ports)"
            " VALUES ($1, $2, $3, $4, 0, '', NULL, 1, NULL, 0, 1, $5, $6)",
            task_id,
            self.cluster,
            intent.instance_id,
            task_pb2.TASK_STATUS_RUNNING,
            agent_service_pb2.TaskObservation(containers=containers).SerializeToString(),
            ports.to_ranges(ports.observed(containers)),
        )
        head = yield from log.take(dialect, self.cluster, 1)
        observed = (yield from tasks.observations(dialect, [task_id]))[task_id]
        event = event_pb2.Event(task=visible.task_event(intent, observed, containers))
        yield from log.append(self.cluster, head, [event])
        return record_pb2.Publication(
            cluster=self.cluster, previous_sequence=head.previous, sequence=head.sequence, events=[event]
        )

    async def observe(self, task_id: str, bindings: Sequence[task_pb2.NetworkBinding], *, told: bool = True) -> None:
        """An agent's report; with `told` False the publication is lost."""
        publication = await self.database.run(lambda dialect: self.observing(dialect, task_id, bindings))
        if told:
            await self._publish(publication)

    async def forget_ports(self) -> None:
        """As a release leaves the rows that does not know the column."""
        await self.database.run(lambda _: steps.execute("UPDATE task_observations SET ports = NULL"))

    async def tell_again(self, task_id: str) -> None:
        """Something more about a task that was released: a late exit code, say."""

        def work(dialect: Dialect) -> steps.Step[record_pb2.Publication]:
            intent = (yield from tasks.intents(dialect, [task_id]))[task_id]
            yield from steps.execute("UPDATE task_observations SET revision = revision + 1 WHERE task_id = $1", task_id)
            head = yield from log.take(dialect, self.cluster, 1)
            observed = (yield from tasks.observations(dialect, [task_id]))[task_id]
            event = event_pb2.Event(task=visible.task_event(intent, observed))
            yield from log.append(self.cluster, head, [event])
            return record_pb2.Publication(
                cluster=self.cluster, previous_sequence=head.previous, sequence=head.sequence, events=[event]
            )

        await self._publish(await self.database.run(work))

    async def reserved(self) -> dict[str, tuple[int, int]]:
        """CPU and memory that unsettled intents hold, by instance: what must never exceed what is there."""
        rows = await self.database.read(
            lambda _: steps.fetch(
                "SELECT i.instance_id, CAST(SUM(i.cpu) AS BIGINT) AS cpu, CAST(SUM(i.memory) AS BIGINT) AS memory"
                " FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id"
                " WHERE i.cluster = $1 AND COALESCE(o.released, 0) = 0 GROUP BY i.instance_id",
                self.cluster,
            )
        )
        return {row["instance_id"]: (row["cpu"], row["memory"]) for row in rows}

    async def events(self) -> list[event_pb2.Event]:
        return await self.database.read(lambda _: log.read_after(self.cluster, 0, 10_000))

    async def value(self, sql: str, *args: object) -> object:
        return await self.database.read(lambda _: steps.fetch_value(sql, *args))

    def _bump(self) -> steps.Step[int]:
        revision: int = yield from steps.fetch_value(
            "INSERT INTO membership (cluster, revision) VALUES ($1, 1)"
            " ON CONFLICT (cluster) DO UPDATE SET revision = membership.revision + 1 RETURNING revision",
            self.cluster,
        )
        return revision

    def _told(
        self,
        instance_id: str,
        status: int,
        connected: bool,  # noqa: FBT001
        revision: int,
    ) -> steps.Step[record_pb2.Publication]:
        head = yield from log.take(self.database.dialect, self.cluster, 1)
        event = event_pb2.Event(
            container_instance=event_pb2.ContainerInstanceEvent(
                container_instance_id=instance_id,
                version=revision,
                status=container_instance_pb2.ContainerInstanceStatus.ValueType(status),
                agent_connected=connected,
                membership_revision=revision,
            )
        )
        yield from log.append(self.cluster, head, [event])
        return record_pb2.Publication(
            cluster=self.cluster, previous_sequence=head.previous, sequence=head.sequence, events=[event]
        )

    async def _publish(self, told: record_pb2.Publication) -> None:
        if self.bus is not None:
            await self.bus.publish(self.cluster, told.SerializeToString())
