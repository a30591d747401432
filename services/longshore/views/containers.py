"""The containers of a task as ECS shows them: what the definition says, what was overridden, what was observed. Pure."""

from collections.abc import Iterable, Sequence

from longshore.rpc import arns
from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, common_pb2, event_pb2, task_definition_pb2, task_pb2
from longshore.views import attachments

_NOTHING_OBSERVED = event_pb2.ContainerObservation()


def render(
    intent: tasks.Intent,
    *,
    definition: task_definition_pb2.TaskDefinition | None,
    overrides: task_pb2.TaskOverride,
    observation: agent_service_pb2.TaskObservation | None,
    stopped: bool,
    place: arns.Place,
    given: Iterable[agent_service_pb2.ContainerResources] = (),
) -> list[task_pb2.Container]:
    """The containers in the definition's order; those observed, where the definition is gone. `stopped`: the task is."""
    observed = {seen.name: seen for seen in observation.containers} if observation is not None else {}
    interfaces = attachments.interfaces(intent.task_id, observation)
    overridden = {override.name: override for override in overrides.container_overrides}
    declared: Iterable[task_definition_pb2.ContainerDefinition] = (
        definition.container_definitions
        if definition is not None
        else [task_definition_pb2.ContainerDefinition(name=name) for name in observed]
    )
    shown = [
        _container(
            container,
            overridden.get(container.name),
            observed.get(container.name, _NOTHING_OBSERVED),
            task_id=intent.task_id,
            cluster=intent.cluster,
            stopped=stopped,
            interfaces=interfaces,
            place=place,
        )
        for container in declared
    ]
    _add_given(shown, given)
    return shown


def _add_given(shown: Iterable[task_pb2.Container], given: Iterable[agent_service_pb2.ContainerResources]) -> None:
    """The ids of the GPUs that containers were given; of other resources ECS shows nothing."""
    by_name = {container.name: container for container in shown}
    for resource in given:
        container = by_name.get(resource.container_name)
        if container is not None and resource.type == "GPU":
            container.gpu_ids.extend(resource.ids)


def task_health(
    shown: Sequence[task_pb2.Container], definition: task_definition_pb2.TaskDefinition | None
) -> common_pb2.HealthStatus.ValueType:
    """A task's health: that of its essential containers with a health check. UNKNOWN where none has one or not all are known."""
    checked = {
        container.name
        for container in (definition.container_definitions if definition is not None else ())
        if container.HasField("health_check") and (container.essential or not container.HasField("essential"))
    }
    states = {container.health_status for container in shown if container.name in checked}
    if common_pb2.HEALTH_STATUS_UNHEALTHY in states:
        return common_pb2.HEALTH_STATUS_UNHEALTHY
    if states == {common_pb2.HEALTH_STATUS_HEALTHY}:
        return common_pb2.HEALTH_STATUS_HEALTHY
    return common_pb2.HEALTH_STATUS_UNKNOWN


def _container(
    declared: task_definition_pb2.ContainerDefinition,
    override: task_pb2.ContainerOverride | None,
    seen: event_pb2.ContainerObservation,
    *,
    task_id: str,
    cluster: str,
    stopped: bool,
    interfaces: Sequence[task_pb2.NetworkInterface],
    place: arns.Place,
) -> task_pb2.Container:
    shown = task_pb2.Container(
        container_arn=place.container(cluster, task_id, arns.container_id(task_id, declared.name)),
        task_arn=place.task(cluster, task_id),
        name=declared.name,
        last_status=_status(seen, stopped=stopped),
        network_bindings=seen.network_bindings,
        network_interfaces=interfaces,
        health_status=seen.health_status or common_pb2.HEALTH_STATUS_UNKNOWN,
        cpu=str(_amount(declared, override, "cpu") or 0),
    )
    texts = {
        "image": declared.image,
        "image_digest": seen.image_digest,
        "runtime_id": seen.runtime_id,
        "reason": seen.reason,
        "memory": _text(_amount(declared, override, "memory")),
        "memory_reservation": _text(_amount(declared, override, "memory_reservation")),
    }
    for field, text in texts.items():
        if text:
            setattr(shown, field, text)
    if seen.restart_count:
        shown.restart_count, shown.restart_reason = seen.restart_count, seen.restart_reason
    if seen.HasField("exit_code"):
        shown.exit_code = seen.exit_code
    return shown


def _status(seen: event_pb2.ContainerObservation, *, stopped: bool) -> task_pb2.ContainerStatus.ValueType:
    if stopped:  # also a container that never came to be
        return task_pb2.CONTAINER_STATUS_STOPPED
    return seen.last_status or task_pb2.CONTAINER_STATUS_PENDING


def _amount(
    declared: task_definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride | None, field: str
) -> int | None:
    """CPU units or MiB: overridden, else declared, else None."""
    for source in (override, declared):
        if source is not None and source.HasField(field):  # type: ignore[arg-type]  # three names that both messages have
            amount: int = getattr(source, field)
            return amount
    return None


def _text(amount: int | None) -> str:
    return "" if amount is None else str(amount)
