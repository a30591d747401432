"""A task as ECS shows it: intent, observation, definition and host put together. Pure.

Used by the state-tracker's DescribeTasks and by the scheduler's answers, so that both show the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.rpc import arns
from longshore.storage import tasks, waiting
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    container_instance_pb2,
    record_pb2,
    task_definition_pb2,
    task_pb2,
)
from longshore.views import attachments, containers, times, visible

_ZONE = "ecs.availability-zone"
_ARCHITECTURE = "ecs.cpu-architecture"


@dataclass(frozen=True, slots=True)
class Host:
    """What a task shows of the instance it is placed on. `connected_at` is None where no agent ever connected."""

    connected: bool
    connected_at: int | None
    availability_zone: str
    cpu_architecture: str


def host(instance: container_instance_pb2.ContainerInstance, *, connected: bool, connected_at: int | None) -> Host:
    """The host of an instance's stored body and connection."""
    attributes = {attribute.name: attribute.value for attribute in instance.attributes}
    return Host(connected, connected_at, attributes.get(_ZONE, ""), attributes.get(_ARCHITECTURE, ""))


def render(
    halves: tasks.Halves,
    *,
    definition: task_definition_pb2.TaskDefinition | None,
    host: Host | None,
    place: arns.Place,
    tags: bool = False,
    waits: waiting.Place | None = None,
) -> task_pb2.Task:
    """The task's message. Without `definition` (deleted since) its containers are those that were observed."""
    intent, observation = halves.intent, halves.observation
    asked = intent.record()
    seen = observation.record() if observation is not None else None
    shown = visible.state(intent, observation)
    task = task_pb2.Task(
        task_arn=place.task(intent.cluster, intent.task_id),
        cluster_arn=place.cluster(intent.cluster),
        task_definition_arn=place.task_definition(intent.family, intent.definition_revision),
        last_status=shown.last_status,
        desired_status=shown.desired_status,
        version=shown.version,
        group=intent.group_name,
        launch_type=common_pb2.LaunchType.ValueType(intent.launch_type),
        overrides=_overrides(asked, definition),
        enable_execute_command=asked.enable_execute_command,
        created_at=times.timestamp(intent.created_at),
        containers=containers.render(
            intent,
            definition=definition,
            overrides=asked.overrides,
            observation=seen,
            stopped=shown.last_status == task_pb2.TASK_STATUS_STOPPED,
            place=place,
            given=asked.container_resources,
        ),
        tags=asked.tags if tags else (),
        waiting=visible.waiting_for(waits),
    )
    task.attachments.extend(
        attachments.render(intent.task_id, asked, seen, stopped=shown.last_status == task_pb2.TASK_STATUS_STOPPED)
    )
    task.health_status = containers.task_health(task.containers, definition)
    _add_texts(task, intent, asked)
    _add_stop(task, shown, observation)
    if seen is not None:
        _add_agent_times(task, seen)
    if intent.instance_id:
        task.container_instance_arn = place.container_instance(intent.cluster, intent.instance_id)
    if host is not None:
        _add_host(task, intent, host)
    return task


def _overrides(
    asked: record_pb2.TaskIntentRecord, definition: task_definition_pb2.TaskDefinition | None
) -> task_pb2.TaskOverride:
    """The overrides with, as ECS shows them, an entry for each container, the overridden ones or not."""
    shown = task_pb2.TaskOverride()
    shown.CopyFrom(asked.overrides)
    named = {override.name for override in shown.container_overrides}
    for container in definition.container_definitions if definition is not None else ():
        if container.name not in named:
            shown.container_overrides.add(name=container.name)
    return shown


def _add_texts(task: task_pb2.Task, intent: tasks.Intent, asked: record_pb2.TaskIntentRecord) -> None:
    texts: Mapping[str, str] = {
        "started_by": intent.started_by,
        # Where the task has no amount of its own ECS shows what placement counts.
        "cpu": asked.cpu or str(intent.cpu),
        "memory": asked.memory or str(intent.memory),
        "platform_version": asked.platform_version,
        "capacity_provider_name": asked.capacity_provider_name,
    }
    for field, text in texts.items():
        if text:
            setattr(task, field, text)


def _add_stop(task: task_pb2.Task, shown: visible.State, observation: tasks.Observation | None) -> None:
    task.stop_code = shown.stop_code
    if shown.stopped_reason:
        task.stopped_reason = shown.stopped_reason
    started = observation.started_at if observation is not None else None
    stopped = observation.stopped_at if observation is not None else None
    if shown.last_status == task_pb2.TASK_STATUS_STOPPED and observation is None:
        stopped = shown.stopping_at  # before it was placed: its end and the cause of it are one
    moments = {"started_at": started, "stopping_at": shown.stopping_at, "stopped_at": stopped}
    for field, at_us in moments.items():
        if at_us is not None:
            getattr(task, field).CopyFrom(times.timestamp(at_us))


def _add_agent_times(task: task_pb2.Task, seen: agent_service_pb2.TaskObservation) -> None:
    if seen.HasField("pull_started_at"):
        task.pull_started_at.CopyFrom(seen.pull_started_at)
    if seen.HasField("pull_stopped_at"):
        task.pull_stopped_at.CopyFrom(seen.pull_stopped_at)
    if seen.HasField("execution_stopped_at"):
        task.execution_stopped_at.CopyFrom(seen.execution_stopped_at)


def _add_host(task: task_pb2.Task, intent: tasks.Intent, host: Host) -> None:
    task.connectivity = task_pb2.CONNECTIVITY_CONNECTED if host.connected else task_pb2.CONNECTIVITY_DISCONNECTED
    if host.connected_at is not None:
        # A task that was placed later than the agent connected is connected from its beginning on.
        task.connectivity_at.CopyFrom(times.timestamp(max(host.connected_at, intent.created_at)))
    if host.availability_zone:
        task.availability_zone = host.availability_zone
    if host.cpu_architecture:
        task.attributes.add(name=_ARCHITECTURE, value=host.cpu_architecture)
