"""The operations on clusters: request in, answer out."""

from longshore.registry import cluster_rows, cluster_rules, names, views
from longshore.rpc import arns, errors
from longshore.storage import pages
from longshore.storage.database import Database
from longshore.v1 import cluster_pb2, registry_service_pb2

MAX_DESCRIBED = 100


async def create(
    database: Database, place: arns.Place, request: registry_service_pb2.CreateClusterRequest
) -> registry_service_pb2.CreateClusterResponse:
    """CreateCluster. A cluster that is ACTIVE is answered as it is, whatever else the request says."""
    cluster_rules.check(request)
    name = request.cluster_name or arns.DEFAULT_CLUSTER
    body = _body(request).SerializeToString()
    counted = await database.run(lambda dialect: cluster_rows.create(dialect, name, body))
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
    if not request.cluster:
        raise errors.InvalidParameterException("Cluster can not be blank.")
    name = arns.cluster(request.cluster, place=place).name
    counted = await database.run(lambda dialect: cluster_rows.delete(dialect, name))
    return registry_service_pb2.DeleteClusterResponse(cluster=views.cluster(counted, views.EVERYTHING, place))


def _body(request: registry_service_pb2.CreateClusterRequest) -> cluster_pb2.Cluster:
    """What is stored of a new cluster: what the request says of it, and ECS's default setting."""
    body = cluster_pb2.Cluster(
        tags=request.tags,
        settings=request.settings
        or [cluster_pb2.ClusterSetting(name=cluster_rules.CONTAINER_INSIGHTS, value=cluster_rules.DISABLED)],
        capacity_providers=request.capacity_providers,
        default_capacity_provider_strategy=request.default_capacity_provider_strategy,
    )
    if request.HasField("configuration"):
        body.configuration.CopyFrom(request.configuration)
    if request.service_connect_defaults.namespace:
        body.service_connect_defaults.namespace = request.service_connect_defaults.namespace
    return body
