"""Which RunTask and StartTask requests make no sense by themselves, before anything is looked up. Pure.

One table of rules for each operation; a rule yields faults. All faults of a request are reported together, under the exception of the
first. What Longshore cannot do yet is refused by name and never ignored.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from longshore.query import evaluation, syntax
from longshore.rpc import codec, codec_schema, errors, sizes
from longshore.scheduler import capacity, strategies
from longshore.v1 import common_pb2, scheduler_service_pb2, task_pb2

MAX_COUNT = 10
MAX_BULK = 10_000
"""Tasks of one RunTasks."""
_EPHEMERAL_GIB = range(21, 201)
"""Fargate's sizes; one is kept with the task and shown, as it is with a definition."""
MAX_TARGETS = 10
MAX_GROUP = 255
MAX_STARTED_BY = 128
MAX_STARTED_BY_START_TASK = 36
MAX_TOKEN = 64
MAX_TAGS = 50
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256
MAX_CONSTRAINTS = 10
MAX_STRATEGIES = 5
MAX_OVERRIDES = 8192
MAX_REFERENCE = 1024
MAX_SUBNETS = 16
MAX_SECURITY_GROUPS = 5
MAX_WAIT_S = 7 * 86_400
"""Seconds that tasks may wait for capacity: a week."""
MAX_PRIORITY = 100
MAX_SHOWN = 200
"""Characters of an expression that a refusal repeats."""

NUL = "\0"
"""The one character that a text cannot be stored with; one such text would fail everything that is committed with it."""

_STARTED_BY = re.compile(r"[A-Za-z0-9_/-]*")
_TOKEN = re.compile(r"[\x21-\x7e]*")
_STRATEGIES = frozenset(kind.value for kind in strategies.Kind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    message: str
    kind: type[errors.ServiceError] = errors.InvalidParameterException


Rule: TypeAlias = Callable[[Any], Iterator[Fault]]


def check_run_task(request: scheduler_service_pb2.RunTaskRequest) -> None:
    """Raise what is wrong with a RunTask."""
    _check(request, RUN_TASK_RULES)


def check_run_tasks(request: scheduler_service_pb2.RunTasksRequest) -> None:
    """Raise what is wrong with a RunTasks beside what is wrong with the RunTask in it."""
    _check(request, RUN_TASKS_RULES)


def check_start_task(request: scheduler_service_pb2.StartTaskRequest) -> None:
    """Raise what is wrong with a StartTask."""
    _check(request, START_TASK_RULES)


def _check(request: Any, rules: Iterable[Rule]) -> None:
    faults = [fault for rule in rules for fault in rule(request)]
    if faults:
        raise faults[0].kind(" ".join(dict.fromkeys(fault.message for fault in faults)))


def tag_faults(tags: Sequence[common_pb2.Tag]) -> Iterator[str]:
    """What is wrong with the tags of a request, each as a sentence."""
    seen: set[str] = set()
    for tag in tags:
        if not 1 <= len(tag.key) <= MAX_TAG_KEY:
            yield f"A tag's key must have 1 to {MAX_TAG_KEY} characters, one has {len(tag.key)}."
        if len(tag.value) > MAX_TAG_VALUE:
            yield f"The value of tag {tag.key} has {len(tag.value)} characters, {MAX_TAG_VALUE} are allowed."
        if tag.key.lower().startswith("aws:"):
            yield f"Tag keys beginning with aws: are reserved, {tag.key} is one."
        if tag.key in seen:
            yield f"The tag key {tag.key} is given twice."
        seen.add(tag.key)
    if len(tags) > MAX_TAGS:
        yield f"A task has at most {MAX_TAGS} tags, {len(tags)} are given."


def expression_faults(text: str) -> Iterator[str]:
    """What is wrong with the expression of a memberOf constraint, as a sentence with the place."""
    try:
        evaluation.compiled(text)
    except syntax.QueryError as error:
        yield f"Invalid expression of the placement constraint memberOf: {error}. It is '{text[:MAX_SHOWN]}'."


# ------------------------------------------------------------------------------------------- rules of both


def _definition(request: Any) -> Iterator[Fault]:
    if not request.task_definition:
        yield Fault("TaskDefinition can not be blank.", errors.ClientException)


def _group(request: Any) -> Iterator[Fault]:
    if len(request.group) > MAX_GROUP:
        yield Fault(f"group has {len(request.group)} characters, {MAX_GROUP} are allowed.")
    if NUL in request.group:
        yield Fault("group contains the character NUL.")
    if request.group.startswith("service:"):
        yield Fault("Groups beginning with service: are those of services; a task cannot be run in one.")


def _started_by(request: Any) -> Iterator[Fault]:
    start_task = isinstance(request, scheduler_service_pb2.StartTaskRequest)
    limit = MAX_STARTED_BY_START_TASK if start_task else MAX_STARTED_BY
    if len(request.started_by) > limit or not _STARTED_BY.fullmatch(request.started_by):
        yield Fault(f"startedBy takes at most {limit} letters, digits, hyphens, underscores and slashes.")


def _tags(request: Any) -> Iterator[Fault]:
    yield from (Fault(message) for message in tag_faults(request.tags))


def _propagate_tags(request: Any) -> Iterator[Fault]:
    if request.propagate_tags == common_pb2.PROPAGATE_TAGS_SERVICE:
        yield Fault("propagateTags SERVICE is for tasks of a service; use TASK_DEFINITION or NONE.")


def _reference(request: Any) -> Iterator[Fault]:
    if len(request.reference_id) > MAX_REFERENCE:
        yield Fault(f"referenceId has {len(request.reference_id)} characters, {MAX_REFERENCE} are allowed.")


def _network(request: Any) -> Iterator[Fault]:
    given = request.network_configuration.awsvpc_configuration
    if len(given.subnets) > MAX_SUBNETS:
        yield Fault(f"subnets can have at most {MAX_SUBNETS} items, {len(given.subnets)} are given.")
    if len(given.security_groups) > MAX_SECURITY_GROUPS:
        yield Fault(
            f"securityGroups can have at most {MAX_SECURITY_GROUPS} items, {len(given.security_groups)} are given."
        )


def _volumes(request: Any) -> Iterator[Fault]:
    if request.volume_configurations:
        yield Fault(
            "volumeConfigurations (EBS volumes configured at launch) are not supported.",
            errors.UnsupportedFeatureException,
        )


def _overrides(request: Any) -> Iterator[Fault]:
    given: task_pb2.TaskOverride = request.overrides
    # Its JSON may be longer than its bytes by what the names add, so small ones need not be written out.
    if given.ByteSize() * 8 > MAX_OVERRIDES:
        size = len(codec.dumps(codec.to_json(given)))
        if size > MAX_OVERRIDES:
            yield Fault(f"The overrides are {size} characters of JSON, {MAX_OVERRIDES} are allowed.")
    if given.cpu and sizes.cpu_units(given.cpu) is None:
        yield Fault(f"The override of cpu is '{given.cpu}': neither CPU units (1024) nor vCPUs (1 vCPU).")
    if given.memory and sizes.memory_mib(given.memory) is None:
        yield Fault(f"The override of memory is '{given.memory}': neither MiB (512) nor gigabytes (1 GB).")
    if given.inference_accelerator_overrides:
        yield Fault("Overrides of inference accelerators are not supported.", errors.UnsupportedFeatureException)
    if given.HasField("ephemeral_storage") and given.ephemeral_storage.size_in_gi_b not in _EPHEMERAL_GIB:
        yield Fault(
            f"Override of ephemeralStorage: sizeInGiB is {given.ephemeral_storage.size_in_gi_b}; it must be between "
            f"{_EPHEMERAL_GIB.start} and {_EPHEMERAL_GIB.stop - 1} GiB."
        )
    yield from _container_overrides(given.container_overrides)


def _container_overrides(given: Iterable[task_pb2.ContainerOverride]) -> Iterator[Fault]:
    seen: set[str] = set()
    for override in given:
        if not override.name:
            yield Fault("A container override must name its container.")
        elif override.name in seen:
            yield Fault(f"There are two overrides for container {override.name}.")
        seen.add(override.name)
        if override.cpu < 0:
            yield Fault(f"Override for container {override.name}: cpu is {override.cpu}, at least 0 is allowed.")
        for field, value in (("memory", override.memory), ("memory_reservation", override.memory_reservation)):
            if override.HasField(field) and value <= 0:  # type: ignore[arg-type] # one of two names, both literals
                name = "memoryReservation" if field == "memory_reservation" else field
                yield Fault(f"Override for container {override.name}: {name} is {value} MiB, at least 1 is allowed.")


# ------------------------------------------------------------------------------------------- rules of RunTask


def _count(request: scheduler_service_pb2.RunTaskRequest) -> Iterator[Fault]:
    if request.HasField("count") and not 1 <= request.count <= MAX_COUNT:
        yield Fault(f"count is {request.count}; it must be between 1 and {MAX_COUNT}.")


def _token(
    request: scheduler_service_pb2.RunTaskRequest | scheduler_service_pb2.RunTasksRequest,
) -> Iterator[Fault]:
    if len(request.client_token) > MAX_TOKEN or not _TOKEN.fullmatch(request.client_token):
        yield Fault(f"clientToken takes at most {MAX_TOKEN} printable ASCII characters without spaces.")


def _launch(request: scheduler_service_pb2.RunTaskRequest) -> Iterator[Fault]:
    if request.launch_type and request.capacity_provider_strategy:
        yield Fault("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    yield from (Fault(message) for message in capacity.faults(request.capacity_provider_strategy))
    if request.launch_type not in {
        common_pb2.LAUNCH_TYPE_UNSPECIFIED,
        common_pb2.LAUNCH_TYPE_EC2,
        common_pb2.LAUNCH_TYPE_FARGATE,
        common_pb2.LAUNCH_TYPE_EXTERNAL,
    }:
        name = codec_schema.word(common_pb2.LaunchType.DESCRIPTOR, request.launch_type)
        yield Fault(
            f"launchType {name} is not supported; the hosts of this cluster run EC2, FARGATE and EXTERNAL.",
            errors.UnsupportedFeatureException,
        )


def _constraints(request: scheduler_service_pb2.RunTaskRequest) -> Iterator[Fault]:
    if len(request.placement_constraints) > MAX_CONSTRAINTS:
        yield Fault(
            f"{len(request.placement_constraints)} placement constraints are given, {MAX_CONSTRAINTS} are allowed."
        )
    for constraint in request.placement_constraints:
        if constraint.type == task_pb2.PLACEMENT_CONSTRAINT_TYPE_UNSPECIFIED:
            yield Fault("A placement constraint must have a type.")
        elif constraint.type == task_pb2.PLACEMENT_CONSTRAINT_TYPE_MEMBER_OF:
            yield from (Fault(message) for message in expression_faults(constraint.expression))
        elif constraint.type != task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE:
            yield Fault(f"There is no type of placement constraint {int(constraint.type)}.")
        elif constraint.expression:
            yield Fault("The placement constraint distinctInstance takes no expression.")


def _strategies(request: scheduler_service_pb2.RunTaskRequest) -> Iterator[Fault]:
    if len(request.placement_strategy) > MAX_STRATEGIES:
        yield Fault(f"{len(request.placement_strategy)} placement strategies are given, {MAX_STRATEGIES} are allowed.")
    for strategy in request.placement_strategy:
        if strategy.type == task_pb2.PLACEMENT_STRATEGY_TYPE_UNSPECIFIED:
            yield Fault("A placement strategy must have a type.")
            continue
        word = codec_schema.word(task_pb2.PlacementStrategyType.DESCRIPTOR, strategy.type)
        if word not in _STRATEGIES:
            yield Fault(f"There is no type of placement strategy {word}.")
        elif fault := strategies.fault(strategies.Kind(word), strategy.field):
            yield Fault(fault)


def _wait(request: scheduler_service_pb2.RunTaskRequest) -> Iterator[Fault]:
    given = request.wait_for_capacity
    if given.HasField("timeout_seconds") and not 1 <= given.timeout_seconds <= MAX_WAIT_S:
        yield Fault(
            f"waitForCapacity.timeoutSeconds is {given.timeout_seconds}; it must be between 1 and {MAX_WAIT_S}."
        )
    if not 0 <= given.priority <= MAX_PRIORITY:
        yield Fault(f"waitForCapacity.priority is {given.priority}; it must be between 0 and {MAX_PRIORITY}.")


# ------------------------------------------------------------------------------------------- rules of RunTasks


def _many(request: scheduler_service_pb2.RunTasksRequest) -> Iterator[Fault]:
    if not 1 <= request.count <= MAX_BULK:
        yield Fault(f"count is {request.count}; it must be between 1 and {MAX_BULK}.")
    for name in ("count", "client_token"):
        if request.run_task.HasField(name):
            yield Fault(f"run_task.{name} is given; it belongs beside run_task.")


# ------------------------------------------------------------------------------------------- rules of StartTask


def _targets(request: scheduler_service_pb2.StartTaskRequest) -> Iterator[Fault]:
    count = len(request.container_instances)
    if not count:
        yield Fault("Container instances can not be empty.")
    elif count > MAX_TARGETS:
        yield Fault(f"{count} container instances are given, {MAX_TARGETS} are allowed.")


_COMMON: tuple[Rule, ...] = (
    _definition,
    _group,
    _started_by,
    _tags,
    _propagate_tags,
    _reference,
    _network,
    _volumes,
    _overrides,
)
RUN_TASK_RULES: tuple[Rule, ...] = (_count, _token, _launch, _constraints, _strategies, _wait, *_COMMON)
RUN_TASKS_RULES: tuple[Rule, ...] = (_many, _token)
START_TASK_RULES: tuple[Rule, ...] = (_targets, *_COMMON)
