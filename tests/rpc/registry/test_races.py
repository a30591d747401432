"""Calls that meet: what one has answered binds the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from longshore.events import memory_bus
from longshore.registry import app
from longshore.registry.config import Config
from longshore.rpc import channels, errors
from longshore.storage import database, log
from longshore.v1 import cluster_pb2, registry_service_pb2, registry_service_pb2_grpc, task_definition_pb2
from tests.rpc.registry.world import ARN, Registry, definition, deregister, joining, register

messages = registry_service_pb2

REGISTRATIONS = 50
BOUND_S = 20.0


async def test_fifty_registrations_at_once_have_fifty_revisions(registry: Registry) -> None:
    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(*(registry.RegisterTaskDefinition(definition()) for _ in range(REGISTRATIONS)))

    assert sorted(answer.task_definition.revision for answer in answers) == list(range(1, REGISTRATIONS + 1))
    latest = await registry.DescribeTaskDefinition(messages.DescribeTaskDefinitionRequest(task_definition="site"))
    assert latest.task_definition.revision == REGISTRATIONS


async def test_the_latest_revision_is_right_however_registrations_and_deregistrations_fall(registry: Registry) -> None:
    await register(registry, count=10)

    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(
            *(deregister(registry, f"site:{number}") for number in range(1, 11)),
            *(registry.RegisterTaskDefinition(definition()) for _ in range(5)),
        )
    await deregister(registry, "site:15", "site:13")

    active = await registry.ListTaskDefinitions(messages.ListTaskDefinitionsRequest())
    latest = await registry.DescribeTaskDefinition(messages.DescribeTaskDefinitionRequest(task_definition="site"))
    assert [arn.rpartition(":")[2] for arn in active.task_definition_arns] == ["11", "12", "14"]
    assert latest.task_definition.revision == 14


async def test_one_cluster_is_made_however_many_ask_for_it(registry: Registry) -> None:
    request = messages.CreateClusterRequest(cluster_name="web")

    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(*(registry.CreateCluster(request) for _ in range(10)))

    assert all(answer == answers[0] for answer in answers)


async def test_tags_added_at_once_are_all_there(registry: Registry) -> None:
    await register(registry)
    arn = f"{ARN}:task-definition/site:1"

    async def tag(number: int) -> None:
        request = messages.TagResourceRequest(resource_arn=arn)
        request.tags.add(key=f"k{number}", value="")
        await registry.TagResource(request)

    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(tag(number) for number in range(20)))

    listed = await registry.ListTagsForResource(messages.ListTagsForResourceRequest(resource_arn=arn))
    assert {tag.key for tag in listed.tags} == {f"k{number}" for number in range(20)}


@pytest.mark.parametrize("counts", [log.Counts(instances=1), log.Counts(pending=1)], ids=["instance", "task"])
async def test_a_cluster_is_either_deleted_or_joined(
    registry: Registry, db: database.Database, counts: log.Counts
) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(20):
        name = f"web-{number}"
        await registry.CreateCluster(messages.CreateClusterRequest(cluster_name=name))

        async def delete(name: str = name) -> bool:
            try:
                await registry.DeleteCluster(messages.DeleteClusterRequest(cluster=name))
            except (errors.ClusterContainsContainerInstancesException, errors.ClusterContainsTasksException):
                return False
            return True

        async with asyncio.timeout(BOUND_S):
            deleted, joined = await asyncio.gather(delete(), db.run(joining(name, counts)))
        outcomes["deleted" if deleted else "joined"] += 1
        assert deleted is not joined
    assert sum(outcomes.values()) == 20


@asynccontextmanager
async def _registry_and_rival(url: str) -> AsyncIterator[tuple[Registry, asyncpg.Connection, asyncpg.Connection]]:
    """A registry on PostgreSQL, a connection that holds a transaction open against it, and one that watches the locks."""
    opened = await database.open_database(url)
    rival, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    config = Config(listen="127.0.0.1:0")
    try:
        async with (
            app.serve(config, database=opened, bus=memory_bus.MemoryBus()) as serving,
            channels.connect(serving.address) as channel,
            asyncio.timeout(BOUND_S),
        ):
            yield registry_service_pb2_grpc.RegistryServiceStub(channel), rival, watcher
    finally:
        await rival.close()
        await watcher.close()
        await opened.close()


async def _until_it_waits(call: "asyncio.Future[Any]", watcher: asyncpg.Connection) -> None:
    while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert not call.done()


@pytest.mark.postgres
async def test_deleting_waits_for_an_instance_that_is_joining(postgres_url: str) -> None:
    """The deletion meets a registration that has locked the cluster and not yet committed."""
    async with _registry_and_rival(postgres_url) as (registry, rival, watcher):
        await registry.CreateCluster(messages.CreateClusterRequest(cluster_name="web"))
        transaction = rival.transaction()
        await transaction.start()
        await rival.execute("SELECT name FROM clusters WHERE name = 'web' FOR SHARE")

        deletion = asyncio.ensure_future(registry.DeleteCluster(messages.DeleteClusterRequest(cluster="web")))
        await _until_it_waits(deletion, watcher)
        await rival.execute("UPDATE log_head SET registered_instances = 1 WHERE cluster = 'web'")
        await transaction.commit()

        with pytest.raises(errors.ClusterContainsContainerInstancesException):
            await deletion
        described = await registry.DescribeClusters(messages.DescribeClustersRequest(clusters=["web"]))
        assert described.clusters[0].status == cluster_pb2.CLUSTER_STATUS_ACTIVE


@pytest.mark.postgres
async def test_two_deregistrations_that_meet_leave_the_latest_revision_right(postgres_url: str) -> None:
    """The second one must not compute the latest revision from what it saw before the first one committed."""
    async with _registry_and_rival(postgres_url) as (registry, rival, watcher):
        await register(registry, count=3)
        transaction = rival.transaction()
        await transaction.start()
        await rival.execute("SELECT 1 FROM task_definition_families WHERE family = 'site' FOR UPDATE")
        await rival.execute("UPDATE task_definitions SET status = 2 WHERE family = 'site' AND revision = 2")
        await rival.execute("UPDATE task_definition_families SET active_revisions = active_revisions - 1")

        second = asyncio.ensure_future(deregister(registry, "site:3"))
        await _until_it_waits(second, watcher)
        await transaction.commit()
        await second

        latest = await registry.DescribeTaskDefinition(messages.DescribeTaskDefinitionRequest(task_definition="site"))
        assert latest.task_definition.revision == 1


async def test_a_deletion_that_was_answered_is_finished_without_being_asked_again(
    registry: Registry, db: database.Database
) -> None:
    await register(registry)
    await deregister(registry, "site:1")
    answer = await registry.DeleteTaskDefinitions(messages.DeleteTaskDefinitionsRequest(task_definitions=["site:1"]))
    assert answer.task_definitions[0].status == task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS

    async def exists() -> bool:
        try:
            await registry.DescribeTaskDefinition(messages.DescribeTaskDefinitionRequest(task_definition="site:1"))
        except errors.ClientException:
            return False
        return True

    async with asyncio.timeout(BOUND_S):
        while await exists():
            pass
