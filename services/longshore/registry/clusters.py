"""The operations on clusters: request in, answer out."""

from longshore.registry import (
    account_setting_rows,
    cluster_changes,
    cluster_rows,
    cluster_rules,
    names,
    principals,
    setting_names,
    views,
)
from longshore.rpc import arns, errors
from longshore.storage import pages, steps
from longshore.storage.database import Database
from longshore.v1 import cluster_pb2, registry_service_pb2

MAX_DESCRIBED = 100


async def create(
    database: Database, place: arns.Place, request: registry_service_pb2.CreateClusterRequest, *, principal: str
) -> registry_service_pb2.CreateClusterResponse:
    """CreateCluster. A cluster that is ACTIVE is answered as it is, unless it was asked for otherwise."""
    cluster_rules.check(request)
    insights = await database.read(lambda _: _insights(principal))
    made = _record(request, insights)
    counted = await database.run(lambda dialect: cluster_rows.create(dialect, made))
    return registry_service_pb2.CreateClusterResponse(cluster=views.cluster(counted, views.EVERYTHING, place))


async def describe(
    database: Database, place: arns.Place, request: registry_service_pb2.DescribeClustersRequest
) -> registry_service_pb2.DescribeClustersResponse:
    """DescribeClusters, in the order of the request. Clusters that never were are failures; deleted ones are shown INACTIVE."""
    if len(request.clusters) > MAX_DESCRIBED:
        raise errors.InvalidParameterException(
            f"Clusters cannot be longer than {MAX_DESCRIBED} items.", clusters=len(request.clusters)
        )
    wanted = request.clusters or (arns.DEFAULT_CLUSTER,)
    asked = list(dict.fromkeys(arns.cluster(text, place=place).name for text in wanted))
    found = await database.read(lambda dialect: cluster_rows.by_names(dialect, asked))
    return registry_service_pb2.DescribeClustersResponse(
        clusters=[views.cluster(found[name], request.include, place) for name in asked if name in found],
        failures=[views.missing(place.cluster(name)) for name in asked if name not in found],
    )


async def list_(
    database: Database, place: arns.Place, request: registry_service_pb2.ListClustersRequest
) -> registry_service_pb2.ListClustersResponse:
    """ListClusters: the ACTIVE ones by name."""
    page = pages.of(request)
    after = names.after(page)
    rows = await database.read(lambda _: cluster_rows.listed(after, page.fetch))
    shown, token = page.cut(rows, lambda name: (name,))
    return registry_service_pb2.ListClustersResponse(
        cluster_arns=[place.cluster(name) for name in shown], next_token=token or None
    )


async def delete(
    database: Database, place: arns.Place, request: registry_service_pb2.DeleteClusterRequest
) -> registry_service_pb2.DeleteClusterResponse:
    """DeleteCluster, once nothing is in it."""
    name = _named(request.cluster, place)
    counted = await database.run(lambda dialect: cluster_rows.delete(dialect, name))
    return registry_service_pb2.DeleteClusterResponse(cluster=views.cluster(counted, views.EVERYTHING, place))


async def update(
    database: Database, place: arns.Place, request: registry_service_pb2.UpdateClusterRequest
) -> registry_service_pb2.UpdateClusterResponse:
    """UpdateCluster: settings, configuration, default namespace."""
    name = _named(request.cluster, place)
    cluster_rules.check(registry_service_pb2.CreateClusterRequest(settings=request.settings))
    changed = await _changed(database, place, name, cluster_changes.of_update(request))
    return registry_service_pb2.UpdateClusterResponse(cluster=changed)


async def update_settings(
    database: Database, place: arns.Place, request: registry_service_pb2.UpdateClusterSettingsRequest
) -> registry_service_pb2.UpdateClusterSettingsResponse:
    """UpdateClusterSettings."""
    name = _named(request.cluster, place)
    if not request.settings:
        raise errors.InvalidParameterException("Settings can not be empty.", field="settings")
    cluster_rules.check(registry_service_pb2.CreateClusterRequest(settings=request.settings))
    changed = await _changed(database, place, name, cluster_changes.of_settings(request.settings))
    return registry_service_pb2.UpdateClusterSettingsResponse(cluster=changed)


async def put_capacity_providers(
    database: Database, place: arns.Place, request: registry_service_pb2.PutClusterCapacityProvidersRequest
) -> registry_service_pb2.PutClusterCapacityProvidersResponse:
    """PutClusterCapacityProviders: both lists are required, and may be empty."""
    name = _named(request.cluster, place)
    for field, given in (
        ("capacityProviders", request.HasField("capacity_providers")),
        ("defaultCapacityProviderStrategy", request.HasField("default_capacity_provider_strategy")),
    ):
        if not given:
            raise errors.InvalidParameterException(
                f"{field} is required; an empty list means that the cluster has none.", field=field
            )
    cluster_rules.check(
        registry_service_pb2.CreateClusterRequest(
            capacity_providers=request.capacity_providers.values,
            default_capacity_provider_strategy=request.default_capacity_provider_strategy.values,
        )
    )
    changed = await _changed(database, place, name, cluster_changes.of_providers(request))
    return registry_service_pb2.PutClusterCapacityProvidersResponse(cluster=changed)


async def _changed(
    database: Database, place: arns.Place, name: str, how: cluster_changes.Change
) -> cluster_pb2.Cluster:
    counted = await database.run(lambda dialect: cluster_rows.change(dialect, name, how))
    return views.cluster(counted, views.CHANGED, place)


def _named(text: str, place: arns.Place) -> str:
    """The cluster of a request that has to name one."""
    if not text:
        raise errors.InvalidParameterException("Cluster can not be blank.")
    return arns.cluster(text, place=place).name


def _insights(principal: str) -> steps.Step[cluster_pb2.ClusterSetting]:
    """The setting of a new cluster of which nothing else is said: the caller's account setting."""
    whose = yield from principals.of_caller(principal)
    holding = yield from account_setting_rows.effective(whose)
    name = setting_names.CONTAINER_INSIGHTS
    return cluster_pb2.ClusterSetting(name=name, value=holding[name].value)


def _record(
    request: registry_service_pb2.CreateClusterRequest, insights: cluster_pb2.ClusterSetting
) -> cluster_pb2.Cluster:
    """What is stored of a new cluster: what the request says of it, and the default setting."""
    record = cluster_pb2.Cluster(
        cluster_name=request.cluster_name or arns.DEFAULT_CLUSTER,
        tags=request.tags,
        settings=request.settings or [insights],
    )
    cluster_changes.put_providers(record, request.capacity_providers, request.default_capacity_provider_strategy)
    cluster_changes.put_namespace(record, request.service_connect_defaults.namespace)
    if request.HasField("configuration"):
        record.configuration.CopyFrom(request.configuration)
    return record
