"""Rows as ECS shows them. Pure. ARNs are rendered here, for the caller's account and region, and nowhere before."""

from collections.abc import Collection

from longshore.registry import cluster_rows
from longshore.rpc import arns
from longshore.storage import definitions
from longshore.v1 import cluster_pb2, common_pb2, registry_service_pb2, task_definition_pb2
from longshore.views import times

_SETTINGS = registry_service_pb2.CLUSTER_FIELD_SETTINGS
_CONFIGURATIONS = registry_service_pb2.CLUSTER_FIELD_CONFIGURATIONS
_STATISTICS = registry_service_pb2.CLUSTER_FIELD_STATISTICS
_TAGS = registry_service_pb2.CLUSTER_FIELD_TAGS

EVERYTHING = frozenset({_SETTINGS, _CONFIGURATIONS, _TAGS})
"""What the answers to CreateCluster and DeleteCluster hold."""

CHANGED = frozenset({_SETTINGS, _CONFIGURATIONS})
"""What the answers to the operations that change a cluster hold."""

MISSING = "MISSING"


def cluster(
    counted: cluster_rows.Counted,
    include: Collection[registry_service_pb2.ClusterField.ValueType],
    place: arns.Place,
) -> cluster_pb2.Cluster:
    """A cluster with those parts that were asked for. Attachments there are none: nothing is ever attached to a cluster."""
    shown = counted.cluster.record()
    shown.cluster_arn = place.cluster(counted.cluster.name)
    shown.cluster_name = counted.cluster.name
    shown.status = counted.cluster.status
    shown.registered_container_instances_count = counted.counts.instances
    shown.pending_tasks_count = counted.counts.pending
    shown.running_tasks_count = counted.counts.running
    shown.active_services_count = counted.counts.services
    if _STATISTICS in include:
        shown.statistics.extend(_statistics(counted.counts))
    if _SETTINGS not in include:
        shown.ClearField("settings")
    if _CONFIGURATIONS not in include:
        shown.ClearField("configuration")
    if _TAGS not in include:
        shown.ClearField("tags")
    return shown


def _statistics(counts: cluster_rows.Counts) -> list[common_pb2.KeyValuePair]:
    """The counters by launch type. Whatever launch type a task asked for, it runs on an instance: ECS's word for that is EC2."""
    values = {
        "runningEC2TasksCount": counts.running,
        "runningFargateTasksCount": 0,
        "pendingEC2TasksCount": counts.pending,
        "pendingFargateTasksCount": 0,
        "activeEC2ServiceCount": counts.services,
        "activeFargateServiceCount": 0,
        "drainingEC2ServiceCount": 0,
        "drainingFargateServiceCount": 0,
    }
    return [common_pb2.KeyValuePair(name=name, value=str(value)) for name, value in values.items()]


def definition(row: definitions.Definition, place: arns.Place) -> task_definition_pb2.TaskDefinition:
    """A revision. Status and times are the row's; the body does not know them."""
    shown = task_definition_pb2.TaskDefinition.FromString(row.body)
    shown.task_definition_arn = place.task_definition(row.family, row.revision)
    shown.status = row.status
    shown.registered_by = principal_arn(shown.registered_by, place)
    shown.registered_at.CopyFrom(times.timestamp(row.registered_at))
    if row.deregistered_at is not None:
        shown.deregistered_at.CopyFrom(times.timestamp(row.deregistered_at))
    if row.delete_requested_at is not None:
        shown.delete_requested_at.CopyFrom(times.timestamp(row.delete_requested_at))
    return shown


def principal_arn(principal: str, place: arns.Place) -> str:
    """A principal as ECS names one: by an ARN, that of a user where it is none already."""
    return principal if principal.startswith("arn:") else f"arn:{place.partition}:iam::{place.account}:user/{principal}"


def missing(arn: str) -> common_pb2.Failure:
    """What a Describe… answers for what is not there."""
    return common_pb2.Failure(arn=arn, reason=MISSING)
