"""Attributes that an instance must have for a definition, derived when it is registered: ecs.md section 1.5. Pure.

One table: an attribute, and when a definition asks for it. What no agent of ours can do (EFS, FireLens, …) is an attribute that no
agent of ours advertises, so such a task is refused at placement, by name, and never run without what it asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from longshore.registry import paths
from longshore.rpc import sizes
from longshore.v1 import common_pb2, task_definition_pb2

DOCKER = "com.amazonaws.ecs.capability."
ECS = "ecs.capability."
OURS = "longshore.capability."
"""Of what ECS has no attribute for, although not every host can do it."""

_DEFAULT_VOLUME_DRIVER = "local"
"""Docker's own, which a volume gets that names none."""

MOST_UNITS_OF_OLD_AGENTS = 10 * sizes.UNITS_PER_CPU

TaskDefinition = task_definition_pb2.TaskDefinition
Names = Callable[[TaskDefinition], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """Attributes, and when they are needed: `names` yields what completes `prefix`, once or more often, or not at all."""

    prefix: str
    names: Names


def _when(*fields: str) -> Names:
    """Needed where any of the fields is given."""

    def names(definition: TaskDefinition) -> Iterator[str]:
        if any(paths.is_given(definition, field) for field in fields):
            yield ""

    return names


def _if(holds: Callable[[TaskDefinition], bool]) -> Names:
    def names(definition: TaskDefinition) -> Iterator[str]:
        if holds(definition):
            yield ""

    return names


def _each(field: str) -> Names:
    """Needed once for every value of the field, which completes its name."""

    def names(definition: TaskDefinition) -> Iterator[str]:
        for place in paths.values(definition, field):
            if place.value:
                yield str(place.value)

    return names


def _any_true(field: str) -> Names:
    return _if(lambda definition: any(place.value for place in paths.values(definition, field)))


def _has_security_option(prefix: str) -> Names:
    return _if(
        lambda definition: any(
            str(place.value).startswith(prefix)
            for place in paths.values(definition, "containerDefinitions[].dockerSecurityOptions[]")
        )
    )


def _large_cpu(definition: TaskDefinition) -> bool:
    return (sizes.cpu_units(definition.cpu) or 0) > MOST_UNITS_OF_OLD_AGENTS


def _role_on_host_network(definition: TaskDefinition) -> bool:
    return bool(definition.task_role_arn) and definition.network_mode == task_definition_pb2.NETWORK_MODE_HOST


def _role_on_other_network(definition: TaskDefinition) -> bool:
    return bool(definition.task_role_arn) and definition.network_mode != task_definition_pb2.NETWORK_MODE_HOST


def _logs_by_execution_role(definition: TaskDefinition) -> bool:
    return bool(definition.execution_role_arn) and any(
        container.log_configuration.log_driver == "awslogs" for container in definition.container_definitions
    )


def _shares_namespaces(definition: TaskDefinition) -> bool:
    return bool(definition.pid_mode or definition.ipc_mode)


def _swappiness(definition: TaskDefinition) -> bool:
    """Without maxSwap it is ignored, as in ECS."""
    linux = [container.linux_parameters for container in definition.container_definitions]
    return any(each.HasField("max_swap") and each.HasField("swappiness") for each in linux)


def _volume_drivers(definition: TaskDefinition) -> Iterator[str]:
    for volume in definition.volumes:
        if volume.HasField("docker_volume_configuration"):
            yield volume.docker_volume_configuration.driver or _DEFAULT_VOLUME_DRIVER


def _on_awsvpc(definition: TaskDefinition) -> bool:
    return definition.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC


_CONTAINERS = "containerDefinitions[]."

TABLE: tuple[Row, ...] = (
    Row(DOCKER + "docker-remote-api.1.17", _if(lambda _: True)),
    Row(
        DOCKER + "docker-remote-api.1.18",
        _when(_CONTAINERS + "dockerLabels", _CONTAINERS + "ulimits", _CONTAINERS + "logConfiguration.logDriver"),
    ),
    Row(DOCKER + "docker-remote-api.1.19", _when(_CONTAINERS + "logConfiguration.options")),
    Row(
        DOCKER + "docker-remote-api.1.25",
        _when(
            _CONTAINERS + "linuxParameters.initProcessEnabled",
            _CONTAINERS + "linuxParameters.tmpfs",
            _CONTAINERS + "linuxParameters.sharedMemorySize",
            _CONTAINERS + "linuxParameters.maxSwap",
            _CONTAINERS + "systemControls",
            _CONTAINERS + "healthCheck.command",
        ),
    ),
    Row(DOCKER + "privileged-container", _any_true(_CONTAINERS + "privileged")),
    Row(DOCKER + "logging-driver.", _each(_CONTAINERS + "logConfiguration.logDriver")),
    Row(DOCKER + "selinux", _has_security_option("label:")),
    Row(DOCKER + "apparmor", _has_security_option("apparmor:")),
    Row(DOCKER + "task-iam-role", _if(_role_on_other_network)),
    Row(DOCKER + "task-iam-role-network-host", _if(_role_on_host_network)),
    Row(ECS + "task-eni", _if(_on_awsvpc)),
    Row(ECS + "task-cpu-mem-limit", _when("cpu", "memory")),
    Row(ECS + "increased-task-cpu-limit", _if(_large_cpu)),
    Row(ECS + "container-ordering", _when(_CONTAINERS + "dependsOn")),
    Row(ECS + "container-health-check", _when(_CONTAINERS + "healthCheck.command")),
    Row(ECS + "execution-role-awslogs", _if(_logs_by_execution_role)),
    Row(ECS + "pid-ipc-namespace-sharing", _if(_shares_namespaces)),
    Row(ECS + "container-restart-policy", _any_true(_CONTAINERS + "restartPolicy.enabled")),
    Row(ECS + "network.container-port-range", _when(_CONTAINERS + "portMappings[].containerPortRange")),
    Row(ECS + "docker-plugin.", _volume_drivers),
    Row(ECS + "env-files.s3", _when(_CONTAINERS + "environmentFiles")),
    Row(
        ECS + "private-registry-authentication.secretsmanager",
        _when(_CONTAINERS + "repositoryCredentials.credentialsParameter"),
    ),
    Row(ECS + "firelens.", _each(_CONTAINERS + "firelensConfiguration.type")),
    Row(ECS + "gpu-sharing", _when(_CONTAINERS + "resourceRequirements[].sharingStrategy")),
    Row(OURS + "swap-limit", _when(_CONTAINERS + "linuxParameters.maxSwap")),
    Row(OURS + "swappiness", _if(_swappiness)),
    Row(ECS + "gmsa", _when(_CONTAINERS + "credentialSpecs")),
    Row(ECS + "efs", _when("volumes[].efsVolumeConfiguration")),
    Row(ECS + "s3files", _when("volumes[].s3filesVolumeConfiguration")),
    Row(ECS + "fsxWindowsFileServer", _when("volumes[].fsxWindowsFileServerVolumeConfiguration")),
    Row(ECS + "storage.ebs-task-volume-attach", _any_true("volumes[].configuredAtLaunch")),
    Row(ECS + "aws-appmesh", _when("proxyConfiguration")),
    Row(ECS + "task-eia", _when("inferenceAccelerators")),
    Row(ECS + "fault-injection", _any_true("enableFaultInjection")),
)


def of(definition: TaskDefinition) -> list[common_pb2.Attribute]:
    """The attributes, by name, each once. The definition has been filled in."""
    names = {row.prefix + name for row in TABLE for name in row.names(definition)}
    return [common_pb2.Attribute(name=name) for name in sorted(names)]
