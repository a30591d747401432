"""From a task definition to the plan of its containers. Pure; says what cannot be honoured instead of leaving it out."""

from collections.abc import Callable, Sequence

from longshore.agent import dependencies, namespaces, task_state
from longshore.v1 import common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

DEFAULT_STOP_TIMEOUT_S = 30
DEFAULT_RESTART_PERIOD_S = 300


class UnsupportedDefinition(Exception):  # noqa: N818 - named by what is wrong, as the runtime's errors are
    """The definition needs what this agent does not do. The message names container, field and value."""


def plan(
    definition: definition_pb2.TaskDefinition,
    *,
    stop_timeout_s: int = DEFAULT_STOP_TIMEOUT_S,
    privileged: bool = True,
    limits_tasks: bool = True,
    pulls_upfront: bool = False,
) -> tuple[task_state.ContainerPlan, ...]:
    """Plan of the definition's containers, in its order. UnsupportedDefinition names everything that is in the way."""
    faults = [*_task_faults(definition, limits_tasks=limits_tasks)]
    for container in definition.container_definitions:
        faults.extend(f"container {container.name}: {fault}" for fault in _container_faults(container))
        if container.privileged and not privileged:
            faults.append(f"container {container.name}: privileged containers are disabled on this host")
    plans = tuple(
        _container_plan(container, stop_timeout_s, pulls_upfront=pulls_upfront)
        for container in definition.container_definitions
    )
    faults.extend(_order_faults(plans))
    if faults:
        raise UnsupportedDefinition("; ".join(faults))
    return namespaces.with_pause(definition, plans)


def bare_plan(definition: definition_pb2.TaskDefinition) -> tuple[task_state.ContainerPlan, ...]:
    """Plan of a definition that will not run: it only names the containers that could not."""
    return tuple(
        task_state.ContainerPlan(name=container.name, image=container.image, essential=True, stop_timeout_s=0)
        for container in definition.container_definitions
    )


def _container_plan(
    container: definition_pb2.ContainerDefinition, stop_timeout_s: int, *, pulls_upfront: bool
) -> task_state.ContainerPlan:
    start = task_state.Condition.START
    waits = [task_state.Dependency(link.partition(":")[0], start) for link in container.links]
    waits += [task_state.Dependency(source.source_container, start) for source in container.volumes_from]
    waits += [
        task_state.Dependency(dependency.container_name, _CONDITIONS[dependency.condition])
        for dependency in container.depends_on
    ]
    return task_state.ContainerPlan(
        name=container.name,
        image=container.image,
        essential=container.essential if container.HasField("essential") else True,
        stop_timeout_s=container.stop_timeout if container.HasField("stop_timeout") else stop_timeout_s,
        waits_for=tuple(dict.fromkeys(waits)),
        checks_health=container.HasField("health_check"),
        start_timeout_s=container.start_timeout if container.HasField("start_timeout") else None,
        restart_policy=_restart_policy(container.restart_policy),
        pulls_upfront=pulls_upfront,
    )


_CONDITIONS = {
    definition_pb2.CONTAINER_CONDITION_START: task_state.Condition.START,
    definition_pb2.CONTAINER_CONDITION_COMPLETE: task_state.Condition.COMPLETE,
    definition_pb2.CONTAINER_CONDITION_SUCCESS: task_state.Condition.SUCCESS,
    definition_pb2.CONTAINER_CONDITION_HEALTHY: task_state.Condition.HEALTHY,
}


def _restart_policy(policy: definition_pb2.ContainerRestartPolicy) -> task_state.RestartPolicy | None:
    if not policy.enabled:
        return None
    given = policy.HasField("restart_attempt_period")
    return task_state.RestartPolicy(
        period_s=policy.restart_attempt_period if given else DEFAULT_RESTART_PERIOD_S,
        ignored_exit_codes=frozenset(policy.ignored_exit_codes),
    )


def _order_faults(plans: Sequence[task_state.ContainerPlan]) -> list[str]:
    names = {plan.name for plan in plans}
    faults = [
        f"container {plan.name}: waits for {dependency.container}, which the task does not have"
        for plan in plans
        for dependency in plan.waits_for
        if dependency.container not in names
    ]
    if not faults and (circle := dependencies.cycle(plans)):
        faults.append("TaskDependencyError: containers wait for each other: " + " -> ".join((*circle, circle[0])))
    return faults


def _task_faults(definition: definition_pb2.TaskDefinition, *, limits_tasks: bool) -> list[str]:
    faults = []
    if (definition.cpu or definition.memory) and not limits_tasks:
        faults.append("cpu and memory of a whole task cannot be limited on this host")
    for volume in definition.volumes:
        used = {field.json_name for field, _ in volume.ListFields()} - _VOLUMES_OFFERED
        faults.extend(f"volume {volume.name}: {member} is not offered by this agent" for member in sorted(used))
    return faults


_VOLUMES_OFFERED = frozenset({"name", "host", "dockerVolumeConfiguration"})


_Container = definition_pb2.ContainerDefinition

# Whether a task was given its GPUs is seen when its containers are made (devices.given).
_DEVICES_OFFERED = frozenset({common_pb2.RESOURCE_TYPE_GPU})

# Members whose effect is not built: a definition that uses one is refused, never run without it.
_NOT_OFFERED: tuple[tuple[str, Callable[[_Container], bool]], ...] = (
    ("secrets", lambda c: bool(c.secrets) or bool(c.log_configuration.secret_options)),
    ("environmentFiles", lambda c: bool(c.environment_files)),
    ("repositoryCredentials", lambda c: c.HasField("repository_credentials")),
    ("resourceRequirements", lambda c: any(each.type not in _DEVICES_OFFERED for each in c.resource_requirements)),
    ("credentialSpecs", lambda c: bool(c.credential_specs)),
)


def _container_faults(container: _Container) -> list[str]:
    return [f"{member} is not offered by this agent" for member, used in _NOT_OFFERED if used(container)]
