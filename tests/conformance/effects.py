"""What a definition amounts to where it is run: what placement needs, what the agent plans, and what Docker is asked for. Pure."""

from typing import Any

from longshore.agent import container_names, container_spec, ports, task_plan, task_state, volumes
from longshore.rpc import codec
from longshore.scheduler import requirements
from longshore.v1 import task_definition_pb2, task_pb2

_OWNER = container_names.Owner(
    "1" * 32, f"arn:aws:ecs:us-east-1:123456789012:container-instance/default/{'1' * 32}", "home"
)
# The same for all, so that only what the definition says makes a difference.
_TASK = container_names.TaskNames("2" * 32, "default", "family", 1)


def bodies(described: dict[str, Any]) -> list[dict[str, Any]]:
    """What Docker is asked for, container by container."""
    definition = codec.from_json(task_definition_pb2.TaskDefinition, described)
    return [_body(definition, each) for each in range(len(definition.container_definitions))]


def of(described: dict[str, Any]) -> object:
    """Everything that comes of a definition, as DescribeTaskDefinition shows it; equal where nothing differs.

    Raises task_plan.UnsupportedDefinition where the agent refuses it.
    """
    members = {name: value for name, value in described.items() if name not in {"tags", "registeredAt"}}
    definition = codec.from_json(task_definition_pb2.TaskDefinition, members)
    plans = task_plan.plan(definition)
    return (
        plans,
        [constraint.expression for constraint in definition.placement_constraints],
        requirements.of(definition, task_pb2.TaskOverride()),
        [_body(definition, each) for each in range(len(definition.container_definitions))],
        [
            list(volumes.wanted(definition, container, owner=_OWNER, task=_TASK))
            for container in definition.container_definitions
        ],
    )


def _body(definition: task_definition_pb2.TaskDefinition, index: int) -> dict[str, Any]:
    container = definition.container_definitions[index]
    wanted = ports.wanted(container, definition.network_mode)
    return container_spec.body(
        definition,
        container,
        None,
        owner=_OWNER,
        task=_TASK,
        bindings=[
            task_state.Binding(port.container_port, port.host_port or 40_000, port.protocol, "0.0.0.0", port.count)
            for port in wanted
        ],
        stop_timeout_s=container.stop_timeout or task_plan.DEFAULT_STOP_TIMEOUT_S,
    )
