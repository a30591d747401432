"""Capacity providers over gRPC, on either engine."""

import asyncio
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.v1 import common_pb2, registry_service_pb2
from tests.rpc.registry.world import ARN, Registry

messages = registry_service_pb2

FARGATE = {
    "capacityProviderArn": f"{ARN}:capacity-provider/FARGATE",
    "name": "FARGATE",
    "status": "ACTIVE",
    "tags": [],
    "type": "FARGATE",
}
SPOT = FARGATE | {
    "capacityProviderArn": f"{ARN}:capacity-provider/FARGATE_SPOT",
    "name": "FARGATE_SPOT",
    "type": "FARGATE_SPOT",
}


async def _describe(registry: Registry, **members: Any) -> dict[str, Any]:
    request = codec.from_json(messages.DescribeCapacityProvidersRequest, members)
    return codec.to_json(await registry.DescribeCapacityProviders(request))


async def _tag(registry: Registry, name: str, **tags: str) -> None:
    listed = [common_pb2.Tag(key=key, value=value) for key, value in tags.items()]
    arn = f"{ARN}:capacity-provider/{name}"
    await registry.TagResource(messages.TagResourceRequest(resource_arn=arn, tags=listed))


async def test_the_two_of_ecs_are_there_without_anybody_having_made_them(registry: Registry) -> None:
    assert await _describe(registry) == {"capacityProviders": [FARGATE, SPOT], "failures": []}


async def test_they_come_in_the_order_asked_for_and_unknown_ones_as_failures(registry: Registry) -> None:
    answer = await _describe(
        registry, capacityProviders=["FARGATE_SPOT", "mine", f"{ARN}:capacity-provider/FARGATE", "FARGATE_SPOT"]
    )

    assert answer == {
        "capacityProviders": [SPOT, FARGATE],
        "failures": [{"arn": f"{ARN}:capacity-provider/mine", "reason": "MISSING"}],
    }


async def test_they_come_in_pages(registry: Registry) -> None:
    asking = {"maxResults": 1, "capacityProviders": ["FARGATE_SPOT", "mine", "FARGATE"]}
    first = await _describe(registry, **asking)
    second = await _describe(registry, **asking, nextToken=first["nextToken"])

    assert (first["capacityProviders"], len(first["failures"])) == ([SPOT], 1)
    assert second == {"capacityProviders": [FARGATE], "failures": []}


@pytest.mark.parametrize("limit", [0, 11])
async def test_a_page_has_between_one_and_ten_rows(registry: Registry, limit: int) -> None:
    with pytest.raises(errors.InvalidParameterException, match="between 1 and 10"):
        await _describe(registry, maxResults=limit)


async def test_more_than_one_call_describes_are_refused(registry: Registry) -> None:
    with pytest.raises(errors.InvalidParameterException, match="longer than 100 items"):
        await _describe(registry, capacityProviders=[f"c{number}" for number in range(101)])


async def test_those_of_a_cluster_are_its_own_alone(registry: Registry) -> None:
    await registry.CreateCluster(
        codec.from_json(messages.CreateClusterRequest, {"clusterName": "web", "capacityProviders": ["FARGATE_SPOT"]})
    )

    assert await _describe(registry, cluster="web") == {"capacityProviders": [SPOT], "failures": []}
    with pytest.raises(errors.ClusterNotFoundException):
        await _describe(registry, cluster="never")


async def test_their_tags_are_shown_where_they_are_asked_for(registry: Registry) -> None:
    await _tag(registry, "FARGATE", team="shop", stage="test")
    await registry.UntagResource(
        messages.UntagResourceRequest(resource_arn=f"{ARN}:capacity-provider/FARGATE", tag_keys=["stage"])
    )

    answer = await _describe(registry, include=["TAGS"])
    listed = await registry.ListTagsForResource(
        messages.ListTagsForResourceRequest(resource_arn=f"{ARN}:capacity-provider/FARGATE")
    )

    assert answer["capacityProviders"] == [FARGATE | {"tags": [{"key": "team", "value": "shop"}]}, SPOT]
    assert [(tag.key, tag.value) for tag in listed.tags] == [("team", "shop")]
    assert (await _describe(registry))["capacityProviders"] == [FARGATE, SPOT]


async def test_tags_added_at_once_are_all_there(registry: Registry) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(_tag(registry, "FARGATE", **{f"k{number}": "v"}) for number in range(10)))

    answer = await _describe(registry, capacityProviders=["FARGATE"], include=["TAGS"])
    assert len(answer["capacityProviders"][0]["tags"]) == 10


async def test_what_does_not_exist_cannot_be_tagged(registry: Registry) -> None:
    with pytest.raises(errors.ResourceNotFoundException, match="no capacity provider mine"):
        await _tag(registry, "mine", a="1")
