"""What a state-tracker finds beside itself: clusters, definitions, and a scheduler that places and stops, as their owners write it."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from longshore.events.bus import Bus
from longshore.rpc import ids
from longshore.storage import log, steps, tasks
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import (
    agent_service_pb2,
    cluster_pb2,
    common_pb2,
    event_pb2,
    record_pb2,
    registry_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from longshore.views import visible

ESSENTIAL = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=256, memory=128, essential=True)


def definition(family: str = "app", revision: int = 1) -> task_definition_pb2.TaskDefinition:
    return task_definition_pb2.TaskDefinition(
        family=family,
        revision=revision,
        container_definitions=[ESSENTIAL, task_definition_pb2.ContainerDefinition(name="side", image="alpine")],
    )


@dataclass(frozen=True)
class Placed:
    """A commit of the scheduler."""

    task_ids: list[str]
    publication: record_pb2.Publication


@dataclass
class World:
    """One cluster, and those who write beside the tracker."""

    database: Database
    bus: Bus
    cluster: str = "web"
    _ids: ids.Sequence = field(default_factory=lambda: ids.Sequence(random.Random(7)))
    _clock: Iterator[int] = field(default_factory=lambda: itertools.count(1_700_000_000_000_000))

    async def create_cluster(self, name: str | None = None) -> None:
        cluster = name or self.cluster

        def work(dialect: Dialect) -> steps.Step[None]:
            yield from steps.execute(
                f"INSERT INTO clusters (name, status, created_at, body) VALUES ($1, $2, {dialect.now}, $3)",  # noqa: S608
                cluster,
                cluster_pb2.CLUSTER_STATUS_ACTIVE,
                b"",
            )
            yield from log.create(cluster)

        await self.database.run(work)

    async def delete_cluster(self) -> None:
        await self.execute(
            "UPDATE clusters SET status = $2 WHERE name = $1", self.cluster, cluster_pb2.CLUSTER_STATUS_INACTIVE
        )

    async def register(self, made: task_definition_pb2.TaskDefinition) -> None:
        def work(dialect: Dialect) -> steps.Step[None]:
            yield from steps.execute(
                "INSERT INTO task_definitions (family, revision, status, registered_at, body, tags)"  # noqa: S608
                f" VALUES ($1, $2, $3, {dialect.now}, $4, $5)",
                made.family,
                made.revision,
                task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE,
                made.SerializeToString(),
                registry_service_pb2.ListTagsForResourceResponse().SerializeToString(),
            )

        await self.database.run(work)

    async def place(
        self,
        instance_id: str,
        count: int = 1,
        *,
        publish: bool = True,
        family: str = "app",
        started_by: str = "",
        group: str = "family:app",
        ports: str | None = None,
        overrides: task_pb2.TaskOverride | None = None,
    ) -> Placed:
        """Place tasks on an instance in one commit."""
        made = [self._ids.next(next(self._clock)) for _ in range(count)]
        record = record_pb2.TaskIntentRecord(launch_type=common_pb2.LAUNCH_TYPE_EC2, request_id="r-1")
        if overrides is not None:
            record.overrides.CopyFrom(overrides)

        def work(dialect: Dialect) -> steps.Step[record_pb2.Publication]:
            base, revision = yield from self._assign(instance_id, placed=count)
            now = yield from steps.fetch_value(f"SELECT {dialect.now}")
            intents = [
                tasks.Intent(
                    task_id, self.cluster, instance_id, family, 1, group, started_by, common_pb2.LAUNCH_TYPE_EC2,
                    task_pb2.DESIRED_STATUS_RUNNING, 0, "", now, None, 1, revision, False, 256, 128, ports,
                    record.SerializeToString(),
                )
                for task_id in made
            ]  # fmt: skip
            yield from steps.insert_many(
                "task_intents",
                tasks.INTENT_COLUMNS,
                [[int(v) if isinstance(v, bool) else v for v in _row(intent)] for intent in intents],
            )
            head = yield from log.take(dialect, self.cluster, count, log.Counts(pending=count))
            events = [event_pb2.Event(task=visible.task_event(intent, None)) for intent in intents]
            yield from log.append(self.cluster, head, events)
            assignment = agent_service_pb2.Assignment(base_revision=base, revision=revision)
            assignment.definitions.add(key=f"{family}:1", task_definition=definition(family))
            for task_id in made:
                assignment.tasks.add(task_id=task_id, definition_key=f"{family}:1", cluster=self.cluster)
            return self._publication(head, events, instance_id, assignment)

        publication = await self.database.run(work)
        if publish:
            await self.bus.publish(self.cluster, publication.SerializeToString())
        return Placed(made, publication)

    async def stop(self, task_id: str, *, publish: bool = True, reason: str = "Task stopped by user") -> None:
        """Ask a task to stop."""

        def work(dialect: Dialect) -> steps.Step[record_pb2.Publication]:
            intent = (yield from tasks.intents(dialect, [task_id]))[task_id]
            base, revision = yield from self._assign(intent.instance_id, placed=0)
            yield from steps.execute(
                f"UPDATE task_intents SET desired_status = $2, stop_code = $3, stopped_reason = $4, stopping_at = {dialect.now},"  # noqa: S608
                " revision = revision + 1, assignment_revision = $5 WHERE task_id = $1",
                task_id,
                task_pb2.DESIRED_STATUS_STOPPED,
                task_pb2.TASK_STOP_CODE_USER_INITIATED,
                reason,
                revision,
            )
            head = yield from log.take(dialect, self.cluster, 1)
            intent = (yield from tasks.intents(dialect, [task_id]))[task_id]
            seen = (yield from tasks.observations(dialect, [task_id])).get(task_id)
            events = [event_pb2.Event(task=visible.task_event(intent, seen))]
            yield from log.append(self.cluster, head, events)
            assignment = agent_service_pb2.Assignment(base_revision=base, revision=revision)
            assignment.stops.add(task_id=task_id)
            return self._publication(head, events, intent.instance_id, assignment)

        publication = await self.database.run(work)
        if publish:
            await self.bus.publish(self.cluster, publication.SerializeToString())

    async def settle(self, *task_ids: str) -> None:
        for task_id in task_ids:
            await self.execute("UPDATE task_intents SET settled = 1 WHERE task_id = $1", task_id)

    async def execute(self, sql: str, *args: object) -> int:
        return await self.database.run(lambda _: steps.execute(sql, *args))

    async def row(self, sql: str, *args: object) -> steps.Row:
        found = await self.database.read(lambda _: steps.fetch_row(sql, *args))
        assert found is not None
        return found

    async def events(self, after: int = 0) -> list[event_pb2.Event]:
        return await self.database.read(lambda _: log.read_after(self.cluster, after, 10_000))

    async def halves(self, task_id: str) -> tasks.Halves:
        found = await self.database.read(lambda dialect: tasks.by_ids(dialect, self.cluster, [task_id]))
        return found[task_id]

    async def recounted(self) -> tuple[int, int]:
        """Pending and running tasks of the cluster, counted from the rows, to hold the counters against. Stopped ones are held here."""
        stopped = await self.row(
            "SELECT stopped_tasks AS counted, (SELECT COUNT(*) FROM task_observations WHERE cluster = $1 AND last_status = $2)"
            " AS there FROM log_head WHERE cluster = $1",
            self.cluster,
            task_pb2.TASK_STATUS_STOPPED,
        )
        assert stopped["counted"] == stopped["there"]
        pending = await self.row(
            "SELECT COUNT(*) AS n FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id"
            " WHERE i.cluster = $1 AND (o.last_status IS NULL OR o.last_status = $2)",
            self.cluster,
            task_pb2.TASK_STATUS_PENDING,
        )
        running = await self.row(
            "SELECT COUNT(*) AS n FROM task_observations WHERE cluster = $1 AND last_status = $2",
            self.cluster,
            task_pb2.TASK_STATUS_RUNNING,
        )
        return pending["n"], running["n"]

    async def counted(self) -> tuple[int, int]:
        head = await self.row("SELECT pending_tasks, running_tasks FROM log_head WHERE cluster = $1", self.cluster)
        return head["pending_tasks"], head["running_tasks"]

    def _assign(self, instance_id: str, *, placed: int) -> steps.Step[tuple[int, int]]:
        revision = yield from steps.fetch_value(
            "INSERT INTO assignments (instance_id, cluster, revision, placed) VALUES ($1, $2, 1, $3)"
            " ON CONFLICT (instance_id) DO UPDATE SET revision = assignments.revision + 1,"
            " placed = assignments.placed + $3 RETURNING revision",
            instance_id,
            self.cluster,
            placed,
        )
        return revision - 1, revision

    def _publication(
        self,
        head: log.Head,
        events: Sequence[event_pb2.Event],
        instance_id: str,
        assignment: agent_service_pb2.Assignment,
    ) -> record_pb2.Publication:
        publication = record_pb2.Publication(
            cluster=self.cluster, previous_sequence=head.previous, sequence=head.sequence, events=events
        )
        publication.assignments.add(
            container_instance_id=instance_id,
            base_revision=assignment.base_revision,
            revision=assignment.revision,
            payload=agent_service_pb2.SessionResponse(assignments=[assignment]).SerializeToString(),
        )
        return publication


def _row(intent: tasks.Intent) -> list[object]:
    return [getattr(intent, column) for column in tasks.INTENT_COLUMNS]
