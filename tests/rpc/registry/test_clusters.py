"""Clusters over gRPC, on either engine."""

import pytest

from longshore.rpc import codec, errors
from longshore.storage import log
from longshore.storage.database import Database
from longshore.v1 import cluster_pb2, common_pb2, registry_service_pb2
from tests.rpc.registry.world import ARN, Registry, count, set_services

messages = registry_service_pb2


async def _create(registry: Registry, name: str, **members: object) -> cluster_pb2.Cluster:
    request = codec.from_json(messages.CreateClusterRequest, {"clusterName": name} | members)
    return (await registry.CreateCluster(request)).cluster


async def _describe(registry: Registry, *names: str, include: str = "") -> messages.DescribeClustersResponse:
    request = codec.from_json(messages.DescribeClustersRequest, {"clusters": list(names), "include": include.split()})
    return await registry.DescribeClusters(request)


async def _delete(registry: Registry, name: str) -> cluster_pb2.Cluster:
    return (await registry.DeleteCluster(messages.DeleteClusterRequest(cluster=name))).cluster


async def test_a_cluster_is_answered_as_ecs_answers_it(registry: Registry) -> None:
    made = await registry.CreateCluster(
        codec.from_json(
            messages.CreateClusterRequest,
            {
                "clusterName": "web",
                "tags": [{"key": "team", "value": "shop"}],
                "configuration": {"executeCommandConfiguration": {"logging": "NONE"}},
                "capacityProviders": ["FARGATE"],
                "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
                "serviceConnectDefaults": {"namespace": "shop"},
            },
        )
    )

    assert codec.to_json(made) == {
        "cluster": {
            "clusterArn": f"{ARN}:cluster/web",
            "clusterName": "web",
            "configuration": {"executeCommandConfiguration": {"logging": "NONE"}},
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": 0,
            "pendingTasksCount": 0,
            "activeServicesCount": 0,
            "statistics": [],
            "tags": [{"key": "team", "value": "shop"}],
            "settings": [{"name": "containerInsights", "value": "disabled"}],
            "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
            "serviceConnectDefaults": {"namespace": "shop"},
        }
    }


async def test_a_cluster_without_a_name_is_called_default(registry: Registry) -> None:
    made = await registry.CreateCluster(messages.CreateClusterRequest())
    described = await _describe(registry)

    assert made.cluster.cluster_name == "default"
    assert [cluster.cluster_arn for cluster in described.clusters] == [f"{ARN}:cluster/default"]


async def test_creating_a_cluster_again_answers_the_same(registry: Registry) -> None:
    first = await _create(registry, "web", tags=[{"key": "team", "value": "shop"}])
    second = await _create(registry, "web", tags=[{"key": "team", "value": "other"}])

    assert first == second


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"clusterName": "my web"},
            (
                "Invalid setting for the cluster: clusterName is 'my web'; it must be at most 255 letters, digits, hyphens and"
                " underscores."
            ),
        ),
        (
            {"settings": [{"name": "insights", "value": "enabled"}]},
            "Invalid setting for the cluster: settings[0].name is 'insights'; it must be 'containerInsights'.",
        ),
        (
            {"settings": [{"name": "containerInsights", "value": "on"}]},
            "Invalid setting for the cluster: settings[0].value is 'on'; it must be 'enabled', 'disabled' or 'enhanced'.",
        ),
        (
            {"settings": [{"name": "containerInsights", "value": "enabled"}] * 2},
            "Invalid setting for the cluster: settings[1].name is 'containerInsights'; it must be given once.",
        ),
        ({"capacityProviders": ["mine"]}, "The specified capacity provider 'mine' was not found."),
        (
            {"defaultCapacityProviderStrategy": [{"capacityProvider": "mine"}]},
            "The specified capacity provider 'mine' was not found.",
        ),
        (
            {"clusterName": "a b", "tags": [{"key": "aws:x"}]},
            (
                "2 faults. (1) Invalid setting for the cluster: clusterName is 'a b'; it must be at most 255 letters, digits, hyphens"
                " and underscores. (2) Invalid setting for the cluster: tags[0].key is 'aws:x'; it must not begin with 'aws:', in"
                " whatever case."
            ),
        ),
    ],
)
async def test_a_cluster_that_breaks_a_rule_is_refused(
    registry: Registry, members: dict[str, object], message: str
) -> None:
    with pytest.raises(errors.InvalidParameterException) as caught:
        await registry.CreateCluster(codec.from_json(messages.CreateClusterRequest, members))

    assert caught.value.message == message


async def test_described_clusters_come_in_the_order_asked_for_and_unknown_ones_as_failures(registry: Registry) -> None:
    await _create(registry, "a")
    await _create(registry, "b")

    answer = await _describe(registry, f"{ARN}:cluster/b", "zzz", "a", "b")

    assert [cluster.cluster_name for cluster in answer.clusters] == ["b", "a"]
    assert list(answer.failures) == [common_pb2.Failure(arn=f"{ARN}:cluster/zzz", reason="MISSING")]


async def test_details_are_described_only_where_they_are_asked_for(registry: Registry, db: Database) -> None:
    configuration = {"executeCommandConfiguration": {"logging": "NONE"}}
    await _create(registry, "web", tags=[{"key": "k", "value": "v"}], configuration=configuration)
    await count(db, "web", log.Counts(pending=2, running=3, instances=4))

    (plain,) = (await _describe(registry, "web")).clusters
    (full,) = (await _describe(registry, "web", include="ATTACHMENTS CONFIGURATIONS SETTINGS STATISTICS TAGS")).clusters

    assert codec.to_json(plain) == {
        "clusterArn": f"{ARN}:cluster/web",
        "clusterName": "web",
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 4,
        "runningTasksCount": 3,
        "pendingTasksCount": 2,
        "activeServicesCount": 0,
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }
    assert codec.to_json(full) == codec.to_json(plain) | {
        "configuration": configuration,
        "statistics": [
            {"name": "runningEC2TasksCount", "value": "3"},
            {"name": "runningFargateTasksCount", "value": "0"},
            {"name": "pendingEC2TasksCount", "value": "2"},
            {"name": "pendingFargateTasksCount", "value": "0"},
            {"name": "activeEC2ServiceCount", "value": "0"},
            {"name": "activeFargateServiceCount", "value": "0"},
            {"name": "drainingEC2ServiceCount", "value": "0"},
            {"name": "drainingFargateServiceCount", "value": "0"},
        ],
        "tags": [{"key": "k", "value": "v"}],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
    }


async def test_more_clusters_than_one_call_describes_are_refused(registry: Registry) -> None:
    with pytest.raises(errors.InvalidParameterException, match="longer than 100 items"):
        await _describe(registry, *(f"c{number}" for number in range(101)))


async def test_pages_of_clusters_stay_right_while_clusters_are_made(registry: Registry) -> None:
    for name in ("b", "d", "f", "h"):
        await _create(registry, name)
    first = await registry.ListClusters(messages.ListClustersRequest(max_results=2))
    await _create(registry, "a")  # before the page that was read: belongs to none of the others
    await _create(registry, "e")  # behind it: comes with the next
    await _delete(registry, "h")

    second = await registry.ListClusters(messages.ListClustersRequest(max_results=2, next_token=first.next_token))

    names = [[arn.rpartition("/")[2] for arn in page.cluster_arns] for page in (first, second)]
    assert names == [["b", "d"], ["e", "f"]]
    assert not second.next_token


@pytest.mark.parametrize("limit", [0, 101, -1])
async def test_a_page_has_between_one_and_a_hundred_rows(registry: Registry, limit: int) -> None:
    with pytest.raises(errors.InvalidParameterException, match=f"maxResults is {limit}"):
        await registry.ListClusters(messages.ListClustersRequest(max_results=limit))


async def test_a_deleted_cluster_is_described_inactive_and_listed_no_more(registry: Registry) -> None:
    await _create(registry, "web", tags=[{"key": "k", "value": "v"}])

    deleted = await _delete(registry, "web")
    (described,) = (await _describe(registry, "web", include="TAGS")).clusters
    listed = await registry.ListClusters(messages.ListClustersRequest())

    assert deleted.status == described.status == cluster_pb2.CLUSTER_STATUS_INACTIVE
    assert list(described.tags) == []
    assert list(listed.cluster_arns) == []


async def test_a_deleted_cluster_can_be_made_anew_and_goes_on_with_its_log(registry: Registry, db: Database) -> None:
    await _create(registry, "web", tags=[{"key": "k", "value": "old"}])
    await count(db, "web", log.NO_COUNTS)
    await db.run(lambda dialect: log.take(dialect, "web", 7))
    await _delete(registry, "web")

    made = await _create(registry, "web", tags=[{"key": "k", "value": "new"}])

    assert made.status == cluster_pb2.CLUSTER_STATUS_ACTIVE
    assert [tag.value for tag in made.tags] == ["new"]
    assert await db.read(lambda _: log.sequence_of("web")) == 7


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        (
            log.Counts(instances=1),
            errors.ClusterContainsContainerInstancesException,
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ),
        (
            log.Counts(pending=1),
            errors.ClusterContainsTasksException,
            "The Cluster cannot be deleted while Tasks are active.",
        ),
        (
            log.Counts(running=1),
            errors.ClusterContainsTasksException,
            "The Cluster cannot be deleted while Tasks are active.",
        ),
    ],
)
async def test_a_cluster_with_something_in_it_cannot_be_deleted(
    registry: Registry, db: Database, counts: log.Counts, error: type[errors.ServiceError], message: str
) -> None:
    await _create(registry, "web")
    await count(db, "web", counts)

    with pytest.raises(error) as caught:
        await _delete(registry, "web")

    assert caught.value.message == message
    assert caught.value.metadata["cluster"] == "web"
    assert (await _describe(registry, "web")).clusters[0].status == cluster_pb2.CLUSTER_STATUS_ACTIVE


async def test_a_cluster_with_a_service_cannot_be_deleted(registry: Registry, db: Database) -> None:
    await _create(registry, "web")
    await set_services(db, "web", 1)

    with pytest.raises(errors.ClusterContainsServicesException, match="while Services are active"):
        await _delete(registry, "web")


async def test_a_cluster_that_is_not_there_cannot_be_deleted(registry: Registry) -> None:
    await _create(registry, "gone")
    await _delete(registry, "gone")

    for name in ("gone", "never", f"{ARN}:cluster/never"):
        with pytest.raises(errors.ClusterNotFoundException) as caught:
            await _delete(registry, name)
        assert caught.value.message == "Cluster not found."
    with pytest.raises(errors.InvalidParameterException, match="blank"):
        await _delete(registry, "")


async def test_a_caller_from_another_region_is_refused(registry: Registry) -> None:
    with pytest.raises(errors.InvalidParameterException, match="Your region is eu-west-1"):
        await registry.CreateCluster(
            messages.CreateClusterRequest(cluster_name="web"), metadata=(("longshore-region", "eu-west-1"),)
        )
    assert not (await registry.ListClusters(messages.ListClustersRequest())).cluster_arns
