"""What RunTask and StartTask ask for, as one value: references parsed, defaults filled in, nothing looked up yet. Pure."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from longshore.rpc import arns, errors
from longshore.scheduler import capacity, request_rules, strategies
from longshore.v1 import common_pb2, record_pb2, scheduler_service_pb2, task_pb2

PlacingRequest: TypeAlias = (
    scheduler_service_pb2.RunTaskRequest
    | scheduler_service_pb2.RunTasksRequest
    | scheduler_service_pb2.StartTaskRequest
)
_Placing: TypeAlias = scheduler_service_pb2.RunTaskRequest | scheduler_service_pb2.StartTaskRequest

RUN_TASK = "RunTask"
RUN_TASKS = "RunTasks"
START_TASK = "StartTask"

CLUSTER_TAG = "aws:ecs:clusterName"
"""The tag that `enableECSManagedTags` adds to a task that belongs to no service."""

_KINDS = {
    task_pb2.PLACEMENT_STRATEGY_TYPE_RANDOM: strategies.Kind.RANDOM,
    task_pb2.PLACEMENT_STRATEGY_TYPE_SPREAD: strategies.Kind.SPREAD,
    task_pb2.PLACEMENT_STRATEGY_TYPE_BINPACK: strategies.Kind.BINPACK,
}


WAIT_S = 600
"""Seconds that tasks wait for capacity where a request that lets them names none."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long tasks may wait for capacity, and how much they matter."""

    timeout_s: int
    priority: int
    request: scheduler_service_pb2.RunTaskRequest
    """As it came: what is stored of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for tasks. `revision` is None where the latest is meant; `targets` are instance ids, for StartTask."""

    operation: str
    cluster: str
    family: str
    revision: int | None
    count: int
    targets: tuple[str, ...]
    group: str
    started_by: str
    launch_type: common_pb2.LaunchType.ValueType
    """EC2 where nothing is said: what the definition must be able to run on."""
    capacity: capacity.Wish
    overrides: task_pb2.TaskOverride
    tags: tuple[tuple[str, str], ...]
    inherits_tags: bool
    distinct: bool
    strategy: tuple[strategies.Strategy, ...]
    expressions: tuple[str, ...]
    """What memberOf constraints of the request say."""
    constraints: int
    """How many placement constraints the request has."""
    has_network: bool
    token: str
    record: record_pb2.TaskIntentRecord
    """What is stored of the request as it is; `body` completes it."""

    wait: Wait | None = None
    """None: what finds no room is refused."""

    settles: bool = False
    """Whether its token remembers that nothing could be placed: it is part of a request of which another part was."""

    def with_revision(self, revision: int) -> "Asked":
        """The same for a definite revision."""
        return dataclasses.replace(self, revision=revision)


def of_run_task(request: scheduler_service_pb2.RunTaskRequest, *, place: arns.Place) -> Asked:
    """Judge and read a RunTask. Raises InvalidParameterException, ClientException or UnsupportedFeatureException."""
    request_rules.check_run_task(request)
    return dataclasses.replace(
        _common(RUN_TASK, request, place),
        count=request.count if request.HasField("count") else 1,
        launch_type=request.launch_type or common_pb2.LAUNCH_TYPE_EC2,
        capacity=capacity.of_request(request.capacity_provider_strategy, request.launch_type),
        distinct=any(
            constraint.type == task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE
            for constraint in request.placement_constraints
        ),
        constraints=len(request.placement_constraints),
        expressions=tuple(
            constraint.expression
            for constraint in request.placement_constraints
            if constraint.type == task_pb2.PLACEMENT_CONSTRAINT_TYPE_MEMBER_OF
        ),
        strategy=tuple(
            strategies.Strategy(_KINDS[strategy.type], strategy.field) for strategy in request.placement_strategy
        ),
        token=request.client_token,
        wait=_wait(request),
    )


def of_run_tasks(request: scheduler_service_pb2.RunTasksRequest, *, place: arns.Place) -> Asked:
    """Judge and read a RunTasks. Raises as `of_run_task`."""
    request_rules.check_run_tasks(request)
    one = of_run_task(request.run_task, place=place)
    return dataclasses.replace(one, operation=RUN_TASKS, count=request.count, token=request.client_token)


def of_start_task(request: scheduler_service_pb2.StartTaskRequest, *, place: arns.Place) -> Asked:
    """Judge and read a StartTask. Raises as `of_run_task`."""
    request_rules.check_start_task(request)
    asked = _common(START_TASK, request, place)
    targets = tuple(
        arns.same_cluster(arns.container_instance(text, place=place), asked.cluster).name
        for text in request.container_instances
    )
    if len(set(targets)) != len(targets):
        raise errors.InvalidParameterException("containerInstances names a container instance twice.")
    return dataclasses.replace(asked, count=len(targets), targets=targets)


def _wait(request: scheduler_service_pb2.RunTaskRequest) -> Wait | None:
    if not request.HasField("wait_for_capacity"):
        return None
    given = request.wait_for_capacity
    return Wait(given.timeout_seconds if given.HasField("timeout_seconds") else WAIT_S, given.priority, request)


def _common(operation: str, request: _Placing, place: arns.Place) -> Asked:
    definition = arns.task_definition(request.task_definition, place=place)
    cluster = arns.cluster(request.cluster, place=place).name
    return Asked(
        operation=operation,
        cluster=cluster,
        family=definition.name,
        revision=definition.revision,
        count=1,
        targets=(),
        group=request.group or f"family:{definition.name}",
        started_by=request.started_by,
        launch_type=common_pb2.LAUNCH_TYPE_EC2,
        capacity=capacity.NONE,
        overrides=request.overrides,
        tags=_tags(request, cluster),
        inherits_tags=request.propagate_tags == common_pb2.PROPAGATE_TAGS_TASK_DEFINITION,
        distinct=False,
        strategy=(),
        expressions=(),
        constraints=0,
        has_network=request.HasField("network_configuration"),
        token="",
        record=_record(request),
    )


def _tags(request: _Placing, cluster: str) -> tuple[tuple[str, str], ...]:
    tags = tuple((tag.key, tag.value) for tag in request.tags)
    return (*tags, (CLUSTER_TAG, cluster)) if request.enable_ecs_managed_tags else tags


def _record(request: _Placing) -> record_pb2.TaskIntentRecord:
    record = record_pb2.TaskIntentRecord(
        enable_execute_command=request.enable_execute_command,
        reference_id=request.reference_id,
    )
    if request.HasField("overrides"):
        record.overrides.CopyFrom(request.overrides)
    if request.HasField("network_configuration"):
        record.network_configuration.CopyFrom(request.network_configuration)
    if isinstance(request, scheduler_service_pb2.RunTaskRequest):
        record.platform_version = request.platform_version
    return record


def merged_tags(own: Iterable[tuple[str, str]], inherited: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A task's tags: those of the definition, where asked for, overwritten by its own."""
    return dict(inherited) | dict(own)
