"""Tags over gRPC: kept here for clusters and definitions, passed on for tasks and instances."""

import pytest

from longshore.rpc import errors
from longshore.v1 import common_pb2, registry_service_pb2
from tests.rpc.registry import owners
from tests.rpc.registry.world import ARN, Registry, register

messages = registry_service_pb2

TASK = f"{ARN}:task/web/{owners.KNOWN}"
INSTANCE = f"{ARN}:container-instance/web/{owners.KNOWN}"


async def _tag(registry: Registry, arn: str, **tags: str) -> None:
    listed = [common_pb2.Tag(key=key, value=value) for key, value in tags.items()]
    await registry.TagResource(messages.TagResourceRequest(resource_arn=arn, tags=listed))


async def _untag(registry: Registry, arn: str, *keys: str) -> None:
    await registry.UntagResource(messages.UntagResourceRequest(resource_arn=arn, tag_keys=keys))


async def _tags(registry: Registry, arn: str) -> dict[str, str]:
    answer = await registry.ListTagsForResource(messages.ListTagsForResourceRequest(resource_arn=arn))
    return {tag.key: tag.value for tag in answer.tags}


@pytest.mark.parametrize(
    "resource",
    ["cluster/web", "task-definition/site:1", f"task/web/{owners.KNOWN}", f"container-instance/web/{owners.KNOWN}"],
)
async def test_tags_are_added_overwritten_and_removed(registry: Registry, resource: str) -> None:
    await registry.CreateCluster(messages.CreateClusterRequest(cluster_name="web"))
    await register(registry)
    arn = f"{ARN}:{resource}"

    await _tag(registry, arn, team="shop", stage="test")
    await _tag(registry, arn, stage="live", owner="ada")
    assert await _tags(registry, arn) == {"team": "shop", "stage": "live", "owner": "ada"}

    await _untag(registry, arn, "team", "not-there")
    assert await _tags(registry, arn) == {"stage": "live", "owner": "ada"}


async def test_tags_of_a_resource_are_those_it_was_made_with(registry: Registry) -> None:
    tag = common_pb2.Tag(key="a", value="1")
    await registry.CreateCluster(messages.CreateClusterRequest(cluster_name="web", tags=[tag]))

    assert await _tags(registry, f"{ARN}:cluster/web") == {"a": "1"}


async def test_what_is_passed_on_names_the_cluster_and_who_asks(
    registry: Registry, scheduler: owners.Owner, tracker: owners.Owner
) -> None:
    await _tag(registry, TASK, a="1")
    await _tag(registry, INSTANCE, b="2")

    assert (scheduler.cluster, scheduler.tags, scheduler.principal) == ("web", {"a": "1"}, "local-admin")
    assert (tracker.cluster, tracker.tags, tracker.principal) == ("web", {"b": "2"}, "local-admin")


async def test_the_old_form_of_an_arn_names_no_cluster(registry: Registry, scheduler: owners.Owner) -> None:
    await _tag(registry, f"{ARN}:task/{owners.KNOWN}", a="1")

    assert (scheduler.cluster, scheduler.tags) == ("", {"a": "1"})


async def test_the_refusal_of_an_owner_reaches_the_caller_as_it_is(registry: Registry) -> None:
    with pytest.raises(errors.InvalidParameterException, match="There is none such") as caught:
        await _tags(registry, f"{ARN}:task/web/{'f' * 32}")

    assert caught.value.metadata == {"resource": "f" * 32}


async def test_an_instance_that_is_not_there_is_told_in_the_words_of_the_operation(registry: Registry) -> None:
    arn = f"{ARN}:container-instance/web/{'f' * 32}"

    for attempt in (_tags(registry, arn), _tag(registry, arn, a="1")):
        with pytest.raises(errors.ResourceNotFoundException, match="The specified resource does not exist: There is"):
            await attempt


async def test_a_resource_has_at_most_fifty_tags(registry: Registry) -> None:
    await register(registry)
    arn = f"{ARN}:task-definition/site:1"
    await _tag(registry, arn, **{f"k{number}": "" for number in range(49)})

    await _tag(registry, arn, last="")
    with pytest.raises(errors.LimitExceededException, match="would have 51 tags; it can have 50"):
        await _tag(registry, arn, more="")
    assert len(await _tags(registry, arn)) == 50


@pytest.mark.parametrize(
    ("arn", "error", "message"),
    [
        ("cluster/web", errors.InvalidParameterException, "Invalid arn syntax"),
        ("", errors.InvalidParameterException, "Invalid arn syntax"),
        (f"{ARN}:cluster/never", errors.ClusterNotFoundException, "Cluster not found."),
        (f"{ARN}:task-definition/never:1", errors.ResourceNotFoundException, "never:1 does not exist"),
        (f"{ARN}:task-definition/never", errors.InvalidParameterException, "names its revision"),
        (f"{ARN}:service/web/front", errors.ResourceNotFoundException, "there is no service front"),
        (
            "arn:aws:ecs:eu-west-1:123456789012:cluster/web",
            errors.InvalidParameterException,
            "Your region is us-east-1",
        ),
        (
            "arn:aws:ecs:us-east-1:210987654321:cluster/web",
            errors.InvalidParameterException,
            "Your accountId is 123456789012",
        ),
    ],
)
async def test_a_resource_that_cannot_be_tagged_is_refused_with_the_reason(
    registry: Registry, arn: str, error: type[errors.ServiceError], message: str
) -> None:
    for call in (_tag(registry, arn, a="1"), _untag(registry, arn, "a"), _tags(registry, arn)):
        with pytest.raises(error, match=message):
            await call


async def test_a_deleted_cluster_has_no_tags(registry: Registry) -> None:
    await registry.CreateCluster(messages.CreateClusterRequest(cluster_name="web"))
    await registry.DeleteCluster(messages.DeleteClusterRequest(cluster="web"))

    with pytest.raises(errors.ClusterNotFoundException):
        await _tags(registry, f"{ARN}:cluster/web")


async def test_tags_that_break_a_rule_are_refused(registry: Registry) -> None:
    await register(registry)

    with pytest.raises(errors.InvalidParameterException) as caught:
        await _tag(registry, f"{ARN}:task-definition/site:1", **{"AWS:x": "1"})

    assert caught.value.message == (
        "Invalid setting for the tags: tags[0].key is 'AWS:x'; it must not begin with 'aws:', in whatever case."
    )
    with pytest.raises(errors.InvalidParameterException, match="Tags can not be empty"):
        await _tag(registry, f"{ARN}:task-definition/site:1")
    with pytest.raises(errors.InvalidParameterException, match="Tag keys can not be empty"):
        await _untag(registry, f"{ARN}:task-definition/site:1")
