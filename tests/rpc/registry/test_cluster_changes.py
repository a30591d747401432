"""What changes a cluster, over gRPC, on either engine."""

import asyncio
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.v1 import cluster_pb2, registry_service_pb2
from tests.rpc.registry.world import ARN, Registry

messages = registry_service_pb2

STRATEGY = [
    {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
    {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
]
BOUND_S = 20.0


async def _create(registry: Registry, **members: Any) -> cluster_pb2.Cluster:
    request = codec.from_json(messages.CreateClusterRequest, {"clusterName": "web"} | members)
    return (await registry.CreateCluster(request)).cluster


async def _update(registry: Registry, **members: Any) -> dict[str, Any]:
    request = codec.from_json(messages.UpdateClusterRequest, {"cluster": "web"} | members)
    return codec.to_json((await registry.UpdateCluster(request)).cluster)


async def _settings(registry: Registry, value: str) -> dict[str, Any]:
    request = codec.from_json(
        messages.UpdateClusterSettingsRequest,
        {"cluster": "web", "settings": [{"name": "containerInsights", "value": value}]},
    )
    return codec.to_json((await registry.UpdateClusterSettings(request)).cluster)


async def _put(registry: Registry, **members: Any) -> dict[str, Any]:
    whole = {"cluster": "web", "capacityProviders": [], "defaultCapacityProviderStrategy": []} | members
    request = codec.from_json(messages.PutClusterCapacityProvidersRequest, whole)
    return codec.to_json((await registry.PutClusterCapacityProviders(request)).cluster)


async def _described(registry: Registry) -> dict[str, Any]:
    request = codec.from_json(
        messages.DescribeClustersRequest, {"clusters": ["web"], "include": ["CONFIGURATIONS", "SETTINGS"]}
    )
    return codec.to_json((await registry.DescribeClusters(request)).clusters[0])


async def test_what_was_put_is_described_exactly_so(registry: Registry) -> None:
    await _create(registry, tags=[{"key": "team", "value": "shop"}])

    put = await _put(registry, capacityProviders=["FARGATE_SPOT", "FARGATE"], defaultCapacityProviderStrategy=STRATEGY)

    assert put == await _described(registry)
    assert put["capacityProviders"] == ["FARGATE_SPOT", "FARGATE"]
    assert put["defaultCapacityProviderStrategy"] == STRATEGY
    assert put["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert put["tags"] == []
    assert put["status"] == "ACTIVE"


async def test_a_weight_and_a_base_that_were_left_out_are_shown_as_zero(registry: Registry) -> None:
    await _create(registry)

    put = await _put(
        registry, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE"}]
    )

    assert put["defaultCapacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 0, "base": 0}]


async def test_putting_empty_lists_takes_providers_and_strategy_away(registry: Registry) -> None:
    await _create(registry, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=STRATEGY[:1])

    await _put(registry, capacityProviders=["FARGATE_SPOT"])
    assert (await _described(registry))["defaultCapacityProviderStrategy"] == []
    await _put(registry)

    described = await _described(registry)
    assert described["capacityProviders"] == described["defaultCapacityProviderStrategy"] == []


@pytest.mark.parametrize("left_out", ["capacityProviders", "defaultCapacityProviderStrategy"])
async def test_both_lists_are_required_when_they_are_put(registry: Registry, left_out: str) -> None:
    await _create(registry)
    members = {"cluster": "web", "capacityProviders": [], "defaultCapacityProviderStrategy": []}
    del members[left_out]

    with pytest.raises(errors.InvalidParameterException, match=f"{left_out} is required"):
        await registry.PutClusterCapacityProviders(
            codec.from_json(messages.PutClusterCapacityProvidersRequest, members)
        )


async def test_a_put_that_breaks_a_rule_changes_nothing(registry: Registry) -> None:
    await _create(registry, capacityProviders=["FARGATE"])
    before = await _described(registry)

    with pytest.raises(errors.InvalidParameterException, match="'mine' was not found"):
        await _put(registry, capacityProviders=["mine"])
    with pytest.raises(errors.InvalidParameterException, match="not associated with the cluster"):
        await _put(registry, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=STRATEGY)

    assert await _described(registry) == before


async def test_an_update_changes_what_it_names_and_nothing_else(registry: Registry) -> None:
    configuration = {"executeCommandConfiguration": {"logging": "NONE"}}
    await _create(
        registry,
        configuration=configuration,
        serviceConnectDefaults={"namespace": "shop"},
        tags=[{"key": "team", "value": "shop"}],
        capacityProviders=["FARGATE"],
    )

    first = await _update(registry, settings=[{"name": "containerInsights", "value": "enhanced"}])
    assert first == await _described(registry)
    assert first["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert first["configuration"] == configuration
    assert first["serviceConnectDefaults"] == {"namespace": "shop"}
    assert first["capacityProviders"] == ["FARGATE"]

    second = await _update(registry, configuration={"managedStorageConfiguration": {"kmsKeyId": "k"}})
    assert second["configuration"] == {"managedStorageConfiguration": {"kmsKeyId": "k"}}
    assert second["settings"] == first["settings"]

    third = await _update(registry, serviceConnectDefaults={"namespace": ""})
    assert "serviceConnectDefaults" not in third
    tags = await registry.ListTagsForResource(messages.ListTagsForResourceRequest(resource_arn=f"{ARN}:cluster/web"))
    assert [tag.value for tag in tags.tags] == ["shop"]


async def test_settings_are_updated_and_have_to_be_named(registry: Registry) -> None:
    await _create(registry)

    updated = await _settings(registry, "enabled")

    assert updated == await _described(registry)
    assert updated["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    with pytest.raises(errors.InvalidParameterException, match="Settings can not be empty"):
        await registry.UpdateClusterSettings(messages.UpdateClusterSettingsRequest(cluster="web"))
    with pytest.raises(errors.InvalidParameterException, match="must be 'enabled', 'disabled' or 'enhanced'"):
        await _settings(registry, "on")


@pytest.mark.parametrize("name", ["gone", "never", f"{ARN}:cluster/never"])
async def test_a_cluster_that_is_not_there_is_not_changed(registry: Registry, name: str) -> None:
    await _create(registry, clusterName="gone")
    await registry.DeleteCluster(messages.DeleteClusterRequest(cluster="gone"))

    for call in (_update(registry, cluster=name), _put(registry, cluster=name)):
        with pytest.raises(errors.ClusterNotFoundException) as caught:
            await call
        assert caught.value.message == "Cluster not found."


async def test_a_change_has_to_name_its_cluster(registry: Registry) -> None:
    for call in (_update(registry, cluster=""), _put(registry, cluster="")):
        with pytest.raises(errors.InvalidParameterException, match="Cluster can not be blank"):
            await call


async def test_changes_at_once_are_all_there(registry: Registry) -> None:
    await _create(registry)

    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(
            _settings(registry, "enabled"),
            _put(registry, capacityProviders=["FARGATE"]),
            _update(registry, configuration={"executeCommandConfiguration": {"logging": "NONE"}}),
            _update(registry, serviceConnectDefaults={"namespace": "shop"}),
        )

    described = await _described(registry)
    assert described["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert described["capacityProviders"] == ["FARGATE"]
    assert described["configuration"] == {"executeCommandConfiguration": {"logging": "NONE"}}
    assert described["serviceConnectDefaults"] == {"namespace": "shop"}


async def test_a_cluster_with_fargates_providers_can_be_deleted(registry: Registry) -> None:
    await _create(registry, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=STRATEGY[:1])

    deleted = await registry.DeleteCluster(messages.DeleteClusterRequest(cluster="web"))

    assert deleted.cluster.status == cluster_pb2.CLUSTER_STATUS_INACTIVE


@pytest.mark.parametrize(
    "otherwise",
    [
        {"capacityProviders": ["FARGATE_SPOT"]},
        {
            "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 9}],
        },
        {"configuration": {"executeCommandConfiguration": {"logging": "DEFAULT"}}},
    ],
)
async def test_a_cluster_is_not_made_again_with_other_arguments(registry: Registry, otherwise: dict[str, Any]) -> None:
    members = {
        "capacityProviders": ["FARGATE"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        "configuration": {"executeCommandConfiguration": {"logging": "NONE"}},
    }
    made = await _create(registry, **members)

    with pytest.raises(errors.InvalidParameterException) as caught:
        await _create(registry, **otherwise)

    assert caught.value.message == (
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
    )
    assert made == await _create(registry, **members) == await _create(registry)
