"""What a registry finds in its database of others: instances and tasks, written as their owners write them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from longshore.rpc import codec
from longshore.storage import clusters, log, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import registry_service_pb2, task_pb2

if TYPE_CHECKING:
    from longshore.v1 import registry_service_pb2_grpc

Registry: TypeAlias = "registry_service_pb2_grpc.RegistryServiceAsyncStub"

ARN = "arn:aws:ecs:us-east-1:123456789012"


def definition(family: str = "site", **members: Any) -> registry_service_pb2.RegisterTaskDefinitionRequest:
    """A request that registers a plain definition."""
    container = {"name": "web", "image": "nginx:1.27", "memory": 64}
    whole: Mapping[str, Any] = {"family": family, "containerDefinitions": [container]} | members
    return codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, whole)


async def register(registry: Registry, family: str = "site", count: int = 1) -> None:
    """Register so many revisions."""
    for _ in range(count):
        await registry.RegisterTaskDefinition(definition(family))


async def deregister(registry: Registry, *names: str) -> None:
    """Deregister revisions."""
    for name in names:
        await registry.DeregisterTaskDefinition(
            registry_service_pb2.DeregisterTaskDefinitionRequest(task_definition=name)
        )


def joining(cluster: str, counts: log.Counts) -> Any:
    """Work that adds to a cluster's counters as the other components do, under a share lock; False where it is not ACTIVE."""

    def work(dialect: Dialect) -> steps.Step[bool]:
        found = yield from clusters.locked(dialect, cluster)
        if found is None or not found.active:
            return False
        yield from log.take(dialect, cluster, 0, counts)
        return True

    return work


async def count(database: Database, cluster: str, counts: log.Counts) -> None:
    """Add to a cluster's counters."""
    assert await database.run(joining(cluster, counts))


async def set_services(database: Database, cluster: str, number: int) -> None:
    """Set the counter of services, which nobody moves yet."""
    await database.run(
        lambda _: steps.execute("UPDATE log_head SET active_services = $2 WHERE cluster = $1", cluster, number)
    )


async def add_task(database: Database, task_id: str, family: str, revision: int) -> None:
    """Write the intent of a task that runs."""
    await database.run(
        lambda _: steps.insert_many(
            "task_intents",
            (
                "task_id", "cluster", "instance_id", "family", "definition_revision", "group_name", "started_by",
                "launch_type", "desired_status", "stop_code", "stopped_reason", "created_at", "stopping_at", "revision",
                "assignment_revision", "settled", "cpu", "memory", "ports", "body",
            ),
            [
                (
                    task_id, "default", "1" * 32, family, revision, f"family:{family}", "",
                    1, task_pb2.DESIRED_STATUS_RUNNING, 0, "", 1, None, 1,
                    1, 0, 0, 64, None, b"",
                )
            ],
        )
    )  # fmt: skip


async def settle_task(database: Database, task_id: str) -> None:
    """Mark a task as history."""
    await database.run(lambda _: steps.execute("UPDATE task_intents SET settled = 1 WHERE task_id = $1", task_id))
