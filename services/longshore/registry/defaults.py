"""What ECS fills in before it stores a definition, so that what is echoed is what will run. Pure.

Filling in twice changes nothing. Lists that were left out need nothing here: a message holds no difference, and the codec writes
those that ECS always writes.
"""

from collections.abc import Iterable

from longshore.rpc import sizes
from longshore.v1 import registry_service_pb2, task_definition_pb2

HEALTH_INTERVAL_S = 30
HEALTH_TIMEOUT_S = 5
HEALTH_RETRIES = 3
EFS_ROOT = "/"

_SAME_PORT = frozenset({task_definition_pb2.NETWORK_MODE_HOST, task_definition_pb2.NETWORK_MODE_AWSVPC})


def definition_of(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> task_definition_pb2.TaskDefinition:
    """The definition that a request asks for, as it was given. Tags are not part of it."""
    definition = task_definition_pb2.TaskDefinition()
    for field, value in request.ListFields():
        if field.name == "tags":
            continue
        target = getattr(definition, field.name)
        if field.is_repeated:
            target.extend(value)
        elif field.message_type is not None:
            target.CopyFrom(value)
        else:
            setattr(definition, field.name, value)
    return definition


def fill(definition: task_definition_pb2.TaskDefinition) -> None:
    """Fill a definition in, in place. Amounts that cannot be read are left as they are: the rules refuse them."""
    definition.network_mode = definition.network_mode or task_definition_pb2.NETWORK_MODE_BRIDGE
    if definition.HasField("cpu"):
        definition.cpu = _number(sizes.cpu_units(definition.cpu), definition.cpu)
    if definition.HasField("memory"):
        definition.memory = _number(sizes.memory_mib(definition.memory), definition.memory)
    for container in definition.container_definitions:
        _fill_container(container, definition.network_mode)
    for volume in definition.volumes:
        _fill_volume(volume)


def _number(amount: int | None, given: str) -> str:
    return given if amount is None else str(amount)


def _fill_container(
    container: task_definition_pb2.ContainerDefinition, mode: task_definition_pb2.NetworkMode.ValueType
) -> None:
    if not container.HasField("cpu"):
        container.cpu = 0
    if not container.HasField("essential"):
        container.essential = True
    _fill_ports(container.port_mappings, mode)
    if container.HasField("health_check"):
        _fill_health_check(container.health_check)


def _fill_ports(
    mappings: Iterable[task_definition_pb2.PortMapping], mode: task_definition_pb2.NetworkMode.ValueType
) -> None:
    for mapping in mappings:
        mapping.protocol = mapping.protocol or task_definition_pb2.TRANSPORT_PROTOCOL_TCP
        if mapping.HasField("container_port_range"):
            continue  # its host ports are a range as well, found when the task starts
        if mode in _SAME_PORT:
            mapping.host_port = mapping.container_port
        elif not mapping.HasField("host_port"):
            mapping.host_port = 0


def _fill_health_check(check: task_definition_pb2.HealthCheck) -> None:
    if not check.HasField("interval"):
        check.interval = HEALTH_INTERVAL_S
    if not check.HasField("timeout"):
        check.timeout = HEALTH_TIMEOUT_S
    if not check.HasField("retries"):
        check.retries = HEALTH_RETRIES


def _fill_volume(volume: task_definition_pb2.Volume) -> None:
    if volume.HasField("docker_volume_configuration"):
        docker = volume.docker_volume_configuration
        docker.scope = docker.scope or task_definition_pb2.SCOPE_TASK
    elif volume.HasField("efs_volume_configuration"):
        if not volume.efs_volume_configuration.HasField("root_directory"):
            volume.efs_volume_configuration.root_directory = EFS_ROOT
    elif not _is_of_another_kind(volume):
        volume.host.SetInParent()


def _is_of_another_kind(volume: task_definition_pb2.Volume) -> bool:
    return (
        volume.configured_at_launch
        or volume.HasField("s3files_volume_configuration")
        or volume.HasField("fsx_windows_file_server_volume_configuration")
    )
