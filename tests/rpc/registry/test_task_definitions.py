"""Task definitions over gRPC, on either engine."""

import pytest

from longshore.registry import deletions
from longshore.rpc import codec, errors
from longshore.storage.database import Database
from longshore.v1 import common_pb2, registry_service_pb2, task_definition_pb2
from tests.rpc.registry.world import ARN, Registry, add_task, definition, deregister, register, settle_task

messages = registry_service_pb2
ACTIVE = task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE
INACTIVE = task_definition_pb2.TASK_DEFINITION_STATUS_INACTIVE
DELETING = task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS


async def _describe(registry: Registry, name: str, *, tags: bool = False) -> messages.DescribeTaskDefinitionResponse:
    include = (messages.TASK_DEFINITION_FIELD_TAGS,) if tags else ()
    return await registry.DescribeTaskDefinition(
        messages.DescribeTaskDefinitionRequest(task_definition=name, include=include)
    )


async def _revision(registry: Registry, name: str) -> int:
    return (await _describe(registry, name)).task_definition.revision


async def _delete(registry: Registry, *names: str) -> messages.DeleteTaskDefinitionsResponse:
    return await registry.DeleteTaskDefinitions(messages.DeleteTaskDefinitionsRequest(task_definitions=names))


async def _assert_unknown(registry: Registry, name: str) -> None:
    with pytest.raises(errors.ClientException) as caught:
        await _describe(registry, name)
    assert caught.value.message == "Unable to describe task definition."


async def test_a_registered_definition_is_answered_as_ecs_answers_it(registry: Registry) -> None:
    answer = codec.to_json(
        await registry.RegisterTaskDefinition(definition(tags=[{"key": "team", "value": "shop"}], memory="0.5 GB"))
    )

    registered_at = answer["taskDefinition"].pop("registeredAt")
    assert registered_at > 1_700_000_000
    assert answer == {
        "taskDefinition": {
            "taskDefinitionArn": f"{ARN}:task-definition/site:1",
            "containerDefinitions": [
                {
                    "name": "web",
                    "image": "nginx:1.27",
                    "cpu": 0,
                    "memory": 64,
                    "portMappings": [],
                    "essential": True,
                    "environment": [],
                    "mountPoints": [],
                    "volumesFrom": [],
                    "systemControls": [],
                }
            ],
            "family": "site",
            "networkMode": "bridge",
            "revision": 1,
            "volumes": [],
            "status": "ACTIVE",
            "requiresAttributes": [
                {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.17"},
                {"name": "ecs.capability.task-cpu-mem-limit"},
            ],
            "placementConstraints": [],
            "compatibilities": ["EC2", "EXTERNAL"],
            "memory": "512",
            "registeredBy": "arn:aws:iam::123456789012:user/local-admin",
        },
        "tags": [{"key": "team", "value": "shop"}],
    }


async def test_every_registration_is_the_next_revision(registry: Registry) -> None:
    answers = [await registry.RegisterTaskDefinition(definition()) for _ in range(3)]
    other = await registry.RegisterTaskDefinition(definition("other"))

    assert [answer.task_definition.revision for answer in answers] == [1, 2, 3]
    assert other.task_definition.revision == 1


async def test_a_definition_that_breaks_rules_is_refused_with_all_of_them_and_takes_no_revision(
    registry: Registry,
) -> None:
    bad = definition(containerDefinitions=[{"name": "web", "portMappings": [{"containerPort": 70000}]}])

    with pytest.raises(errors.ClientException) as caught:
        await registry.RegisterTaskDefinition(bad)

    assert caught.value.message == (
        "3 faults. (1) Container.image should not be null or empty."
        " (2) Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified."
        " (3) Invalid setting for container 'web': portMappings[0].containerPort is 70000; it must be between 1 and 65535."
    )
    assert caught.value.metadata == {
        "faults": "3",
        "fault_1": "container-image-required containerDefinitions[0].image",
        "fault_2": "container-memory-given containerDefinitions[0].memory",
        "fault_3": "container-port containerDefinitions[0].portMappings[0].containerPort",
    }
    assert (await registry.RegisterTaskDefinition(definition())).task_definition.revision == 1


async def test_a_definition_of_ten_megabytes_is_refused_for_its_size(registry: Registry) -> None:
    large = definition()
    large.container_definitions[0].environment.add(name="BLOB", value="x" * 10_000_000)

    with pytest.raises(
        errors.ClientException, match=r"its size is 1000\d{4} bytes; it must be at most 65536 bytes as JSON"
    ):
        await registry.RegisterTaskDefinition(large)


async def test_a_definition_is_found_by_family_revision_and_arn(registry: Registry) -> None:
    await register(registry, count=3)

    named = ["site", "site:2", f"{ARN}:task-definition/site:1"]

    assert [await _revision(registry, name) for name in named] == [3, 2, 1]


async def test_tags_are_described_only_where_they_are_asked_for(registry: Registry) -> None:
    await registry.RegisterTaskDefinition(definition(tags=[{"key": "a", "value": "1"}]))

    assert list((await _describe(registry, "site")).tags) == []
    assert list((await _describe(registry, "site", tags=True)).tags) == [common_pb2.Tag(key="a", value="1")]


@pytest.mark.parametrize("name", ["never", "site:9", f"{ARN}:task-definition/never:1"])
async def test_an_unknown_definition_is_named_in_ecs_words(registry: Registry, name: str) -> None:
    await register(registry)

    await _assert_unknown(registry, name)


@pytest.mark.parametrize("name", ["", "a b", "site:x", "site:0", "arn:aws:ecs:us-east-1:123456789012:cluster/a", "\0"])
async def test_what_cannot_name_a_definition_is_the_callers_fault(registry: Registry, name: str) -> None:
    with pytest.raises((errors.ClientException, errors.InvalidParameterException)):
        await _describe(registry, name)


async def test_a_family_stands_for_its_newest_active_revision(registry: Registry) -> None:
    await register(registry, count=3)

    await deregister(registry, "site:3")
    assert await _revision(registry, "site") == 2
    await deregister(registry, "site:1")
    assert await _revision(registry, "site") == 2
    await deregister(registry, "site:2")
    await _assert_unknown(registry, "site")

    await register(registry)
    assert await _revision(registry, "site") == 4


async def test_deregistering_answers_the_inactive_revision_also_the_second_time(registry: Registry) -> None:
    await register(registry, count=2)
    request = messages.DeregisterTaskDefinitionRequest(task_definition="site:1")

    first = (await registry.DeregisterTaskDefinition(request)).task_definition
    second = (await registry.DeregisterTaskDefinition(request)).task_definition

    assert (first.status, first.revision) == (INACTIVE, 1)
    assert first.deregistered_at.ToMicroseconds() >= first.registered_at.ToMicroseconds()
    assert first == second == (await _describe(registry, "site:1")).task_definition
    assert await _revision(registry, "site") == 2


async def test_deregistering_needs_a_revision_that_is_there(registry: Registry) -> None:
    await register(registry)

    with pytest.raises(errors.ClientException, match="Revision is missing: site names a family"):
        await deregister(registry, "site")
    with pytest.raises(errors.ClientException, match="Unable to describe task definition"):
        await deregister(registry, "site:2")


async def test_only_inactive_revisions_can_be_deleted(registry: Registry) -> None:
    await register(registry, count=2)
    await deregister(registry, "site:1")

    answer = await _delete(registry, "site:1", "site:2", "site:3")

    assert [(each.revision, each.status) for each in answer.task_definitions] == [(1, DELETING)]
    assert answer.task_definitions[0].HasField("delete_requested_at")
    assert [(failure.arn, failure.reason) for failure in answer.failures] == [
        (
            f"{ARN}:task-definition/site:2",
            "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
        ),
        (
            f"{ARN}:task-definition/site:3",
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        ),
    ]


async def test_a_deleted_revision_stays_until_its_last_task_is_settled(registry: Registry, db: Database) -> None:
    await register(registry, count=2)
    await add_task(db, "a" * 32, "site", 1)
    await deregister(registry, "site:1", "site:2")
    await _delete(registry, "site:1", "site:2")
    await deletions.finish(db)

    assert (await _describe(registry, "site:1")).task_definition.status == DELETING
    await _assert_unknown(registry, "site:2")
    with pytest.raises(errors.ClientException, match="DELETE_IN_PROGRESS"):
        await deregister(registry, "site:1")

    await settle_task(db, "a" * 32)
    assert await deletions.finish(db) == 1
    await _assert_unknown(registry, "site:1")


async def test_numbers_of_deleted_revisions_are_never_given_out_again(registry: Registry, db: Database) -> None:
    await register(registry, count=2)
    await deregister(registry, "site:1", "site:2")
    await _delete(registry, "site:1", "site:2")
    await deletions.finish(db)
    families = messages.ListTaskDefinitionFamiliesRequest()

    assert list((await registry.ListTaskDefinitionFamilies(families)).families) == []
    assert (await registry.RegisterTaskDefinition(definition())).task_definition.revision == 3
    assert list((await registry.ListTaskDefinitionFamilies(families)).families) == ["site"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "taskDefinitions has 0 items; it must have between 1 and 10."),
        (
            tuple(f"site:{number}" for number in range(1, 12)),
            "taskDefinitions has 11 items; it must have between 1 and 10.",
        ),
    ],
)
async def test_between_one_and_ten_revisions_are_deleted_in_a_call(
    registry: Registry, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(errors.InvalidParameterException) as caught:
        await _delete(registry, *names)

    assert caught.value.message == message


async def test_deleting_needs_a_revision(registry: Registry) -> None:
    with pytest.raises(errors.ClientException, match="Revision is missing"):
        await _delete(registry, "site")
