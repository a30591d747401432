"""What lists ask for, and the descriptions of what they name."""

from collections.abc import Sequence

from longshore.client import connection
from longshore.v1 import (
    cluster_pb2,
    container_instance_pb2,
    registry_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)


def tasks(
    cluster: str, family: str, container_instance: str, started_by: str, *, stopped: bool
) -> state_tracker_service_pb2.ListTasksRequest:
    """Asks for a cluster's tasks."""
    status = task_pb2.DESIRED_STATUS_STOPPED if stopped else task_pb2.DESIRED_STATUS_RUNNING
    request = state_tracker_service_pb2.ListTasksRequest(desired_status=status)
    given = (
        ("cluster", cluster),
        ("family", family),
        ("container_instance", container_instance),
        ("started_by", started_by),
    )
    for name, value in given:
        if value:
            setattr(request, name, value)
    return request


def container_instances(cluster: str, filter_: str) -> state_tracker_service_pb2.ListContainerInstancesRequest:
    """Asks for a cluster's instances."""
    request = state_tracker_service_pb2.ListContainerInstancesRequest(cluster=cluster)
    if filter_:
        request.filter = filter_
    return request


def clusters() -> registry_service_pb2.ListClustersRequest:
    """Asks for all clusters."""
    return registry_service_pb2.ListClustersRequest()


def task_definitions(family: str, *, inactive: bool) -> registry_service_pb2.ListTaskDefinitionsRequest:
    """Asks for task definitions."""
    status = (
        task_definition_pb2.TASK_DEFINITION_STATUS_INACTIVE
        if inactive
        else task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE
    )
    request = registry_service_pb2.ListTaskDefinitionsRequest(status=status)
    if family:
        request.family_prefix = family
    return request


async def described_instances(
    client: connection.Connection, cluster: str, arns: Sequence[str]
) -> Sequence[container_instance_pb2.ContainerInstance]:
    """Instances by their ARNs; one that went between the list and this is left out."""
    if not arns:
        return ()
    request = state_tracker_service_pb2.DescribeContainerInstancesRequest(
        cluster=cluster, include=[state_tracker_service_pb2.CONTAINER_INSTANCE_FIELD_TAGS]
    )
    method = client.state_tracker.DescribeContainerInstances
    return (await client.whole(method, request, "container_instances", arns)).container_instances


async def described_clusters(client: connection.Connection, arns: Sequence[str]) -> Sequence[cluster_pb2.Cluster]:
    """Clusters by their ARNs; one that went between the list and this is left out."""
    if not arns:
        return ()
    request = registry_service_pb2.DescribeClustersRequest(include=[registry_service_pb2.CLUSTER_FIELD_TAGS])
    return (await client.whole(client.registry.DescribeClusters, request, "clusters", arns)).clusters
