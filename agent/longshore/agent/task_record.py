"""A task as the engine of this agent holds it: what it was assigned, and where it stands."""

from dataclasses import dataclass, field

from longshore.agent import container_names, task_plan, task_state
from longshore.v1 import agent_service_pb2, task_definition_pb2


@dataclass(slots=True, weakref_slot=True)
class Definition:
    """A definition and what was made of it, shared by all its tasks on this host. `fault` says why it cannot run here."""

    message: task_definition_pb2.TaskDefinition
    plans: tuple[task_state.ContainerPlan, ...]
    fault: str = ""


NOTHING = task_definition_pb2.TaskDefinition()
"""Stands for the definition of a task that never was here."""


@dataclass(slots=True)
class TaskRecord:
    """One task. `state` is replaced by the machine; everything else stays."""

    assigned: agent_service_pb2.AssignedTask
    definition: Definition
    names: container_names.TaskNames
    state: task_state.TaskState
    acknowledged: bool = False
    foreign: bool = False
    """Of a former identity of this agent: it is stopped and cleaned up, and nobody is told."""
    limited: bool = False
    """The limits of the whole task are in place, as far as this process knows."""
    parts: dict[str, task_definition_pb2.ContainerDefinition] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = {part.name: part for part in self.definition.message.container_definitions}

    @property
    def task_id(self) -> str:
        """Id of the task."""
        return self.assigned.task_id

    def is_hidden(self, container: str) -> bool:
        """Whether a container is the one that holds what the others share, and no part of the definition."""
        return container not in self.parts

    @property
    def address_holder(self) -> str | None:
        """Runtime id of the hidden container that holds the task's address; None where there is none."""
        return next((state.runtime_id for state in self.state.containers if state.interface is not None), None)

    @property
    def stopped(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state.stopped


def definition_of(
    message: task_definition_pb2.TaskDefinition | None,
    *,
    stop_timeout_s: int,
    privileged: bool,
    limits_tasks: bool,
    pulls_upfront: bool,
) -> Definition:
    """Make ready a definition. One that is missing or cannot be honoured still gives its containers their names."""
    if message is None:
        return Definition(
            task_definition_pb2.TaskDefinition(), (), "the assignment did not carry the task's definition"
        )
    try:
        plans = task_plan.plan(
            message,
            stop_timeout_s=stop_timeout_s,
            privileged=privileged,
            limits_tasks=limits_tasks,
            pulls_upfront=pulls_upfront,
        )
    except task_plan.UnsupportedDefinition as error:
        return Definition(message, task_plan.bare_plan(message), str(error))
    return Definition(message, plans)


def names_of(assigned: agent_service_pb2.AssignedTask) -> container_names.TaskNames:
    """What a task's containers are named after."""
    family, _, revision = assigned.definition_key.rpartition(":")
    return container_names.TaskNames(
        task_id=assigned.task_id,
        cluster=assigned.cluster,
        family=family,
        revision=int(revision) if revision.isdigit() else 0,
    )
