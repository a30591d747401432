"""What must hold between a request and the task definition that it names. Pure; judged once the definition is known."""

from collections.abc import Iterator

from longshore.rpc import codec_schema, errors
from longshore.scheduler import asked, overrides, request_rules
from longshore.v1 import common_pb2, task_definition_pb2, task_pb2

NOT_FOUND = "TaskDefinition not found."
INACTIVE = "TaskDefinition is inactive"

_COMPATIBILITY = {
    common_pb2.LAUNCH_TYPE_EC2: common_pb2.COMPATIBILITY_EC2,
    common_pb2.LAUNCH_TYPE_FARGATE: common_pb2.COMPATIBILITY_FARGATE,
    common_pb2.LAUNCH_TYPE_EXTERNAL: common_pb2.COMPATIBILITY_EXTERNAL,
}


def check(wanted: asked.Asked, definition: task_definition_pb2.TaskDefinition) -> None:
    """Raise what keeps this request from being placed with this definition."""
    _check_unsupported(definition, wanted.overrides)
    _check_constraints(wanted, definition)
    _check_launch_type(wanted.launch_type, definition)
    _check_network(definition, given=wanted.has_network)
    if found := tuple(overrides.faults(definition, wanted.overrides)):
        raise errors.InvalidParameterException(" ".join(found))


def _check_unsupported(definition: task_definition_pb2.TaskDefinition, given: task_pb2.TaskOverride) -> None:
    for reason in _unsupported(definition, given):
        raise errors.UnsupportedFeatureException(
            f"Task definition {definition.family}:{definition.revision} cannot be run: {reason}.",
            family=definition.family,
            revision=definition.revision,
        )


def _unsupported(definition: task_definition_pb2.TaskDefinition, given: task_pb2.TaskOverride) -> Iterator[str]:
    if definition.inference_accelerators:
        yield "inference accelerators are not supported"
    yield from overrides.unsupported(definition, given)


def _check_constraints(wanted: asked.Asked, definition: task_definition_pb2.TaskDefinition) -> None:
    """The definition's constraints count with the request's, and may have been registered before expressions were read."""
    count = len(definition.placement_constraints) + wanted.constraints
    if count > request_rules.MAX_CONSTRAINTS:
        raise errors.InvalidParameterException(
            f"{count} placement constraints are given, {len(definition.placement_constraints)} of them by the task definition; "
            f"{request_rules.MAX_CONSTRAINTS} are allowed."
        )
    for constraint in definition.placement_constraints:
        for fault in request_rules.expression_faults(constraint.expression):
            raise errors.InvalidParameterException(
                f"Task definition {definition.family}:{definition.revision} cannot be run. {fault}"
            )


def _check_launch_type(
    launch_type: common_pb2.LaunchType.ValueType, definition: task_definition_pb2.TaskDefinition
) -> None:
    if definition.compatibilities and _COMPATIBILITY[launch_type] not in definition.compatibilities:
        name = codec_schema.word(common_pb2.LaunchType.DESCRIPTOR, launch_type)
        raise errors.InvalidParameterException(f"Task definition does not support launch_type {name}.")


def _check_network(definition: task_definition_pb2.TaskDefinition, *, given: bool) -> None:
    awsvpc = definition.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC
    if awsvpc and not given:
        raise errors.InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if given and not awsvpc:
        raise errors.InvalidParameterException(
            "Network Configuration is not valid for the given networkMode of this task definition."
        )
