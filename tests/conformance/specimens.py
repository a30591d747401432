"""Valid requests that differ from a plain one in a single member: one for each member of RegisterTaskDefinition, made from the model."""

from collections.abc import Mapping
from typing import Any

from tests.conformance import contract, world

MAIN: dict[str, Any] = {
    "name": "main",
    "image": world.IMAGE,
    "memory": 64,
    "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
}
SIDE: Mapping[str, Any] = {"name": "side", "image": world.IMAGE, "memory": 64, "essential": False}
DATA: Mapping[str, Any] = {"name": "data"}

VALUES: dict[str, Any] = {
    "ContainerDefinition.memory": 96,
    "ContainerDefinition.memoryReservation": 32,
    "ContainerDefinition.links": ["side:helper"],
    "ContainerDefinition.dnsServers": ["10.0.0.2"],
    "ContainerDefinition.dockerSecurityOptions": ["no-new-privileges"],
    "ContainerDefinition.credentialSpecs": ["credentialspec:file://account.json"],
    "ContainerDefinition.dnsSearchDomains": ["example.com"],
    "ContainerDependency.containerName": "side",
    "ContainerDependency.condition": "START",
    "Device.containerPath": "/dev/other",
    "DockerVolumeConfiguration.autoprovision": True,
    "DockerVolumeConfiguration.driver": world.VOLUME_DRIVER,
    "DockerVolumeConfiguration.scope": "shared",
    "EnvironmentFile.value": "arn:aws:s3:::bucket/file.env",
    "EphemeralStorage.sizeInGiB": 50,
    "HealthCheck.command": ["CMD", "true"],
    "FirelensConfiguration.type": "fluentbit",
    "HealthCheck.retries": 5,
    "HealthCheck.timeout": 30,
    "HostEntry.ipAddress": "10.0.0.9",
    "HostVolumeProperties.sourcePath": "/srv/data",
    "KernelCapabilities.add": ["SYS_PTRACE"],
    "KernelCapabilities.drop": ["MKNOD"],
    "LogConfiguration.logDriver": "json-file",
    "LogConfiguration.options": {"max-size": "1m"},
    "MountPoint.containerPath": "/more",
    "MountPoint.sourceVolume": "data",
    "PortMapping.containerPort": 8080,
    "PortMapping.containerPortRange": "9000-9010",
    "PortMapping.hostPort": 18080,
    "PortMapping.protocol": "udp",
    "RegisterTaskDefinitionRequest.cpu": "512",
    "RegisterTaskDefinitionRequest.ipcMode": "none",
    "RegisterTaskDefinitionRequest.memory": "512",
    "RegisterTaskDefinitionRequest.networkMode": "host",
    "RegisterTaskDefinitionRequest.requiresCompatibilities": ["EC2"],
    "RepositoryCredentials.credentialsParameter": "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry",
    "ResourceRequirement.type": "GPU",
    "ResourceRequirement.value": "1",
    "RuntimePlatform.operatingSystemFamily": "LINUX",
    "SystemControl.namespace": "net.core.somaxconn",
    "SystemControl.value": "1024",
    "TaskDefinitionPlacementConstraint.expression": "attribute:ecs.os-type == linux",
    "Tmpfs.containerPath": "/tmp",
    "Tmpfs.mountOptions": ["noexec"],
    "TrustedExecutionConfiguration.isolationMode": "SHARED",
    "Ulimit.name": "nofile",
    "VolumeFrom.sourceContainer": "side",
}
"""Values where the type does not tell enough. All others are made from the type."""

INTEGER = 90
"""Lies within the bounds of every amount that has no value of its own above."""

NEEDED: dict[str, tuple[str, ...]] = {
    "ContainerDependency": ("containerName", "condition"),
    "Device": ("hostPath",),
    "DockerVolumeConfiguration": ("scope",),
    "EFSAuthorizationConfig": ("accessPointId",),
    "EFSVolumeConfiguration": ("fileSystemId",),
    "EphemeralStorage": ("sizeInGiB",),
    "EnvironmentFile": ("value", "type"),
    "FSxWindowsFileServerAuthorizationConfig": ("credentialsParameter", "domain"),
    "FSxWindowsFileServerVolumeConfiguration": ("fileSystemId", "rootDirectory", "authorizationConfig"),
    "FirelensConfiguration": ("type",),
    "HealthCheck": ("command",),
    "HostEntry": ("hostname", "ipAddress"),
    "InferenceAccelerator": ("deviceName", "deviceType"),
    "KeyValuePair": ("name", "value"),
    "LogConfiguration": ("logDriver",),
    "MountPoint": ("sourceVolume", "containerPath"),
    "NvidiaMpsAllocation": ("memory",),
    "ProxyConfiguration": ("containerName",),
    "RepositoryCredentials": ("credentialsParameter",),
    "ResourceRequirement": ("type", "value"),
    "S3FilesVolumeConfiguration": ("fileSystemArn",),
    "Secret": ("name", "valueFrom"),
    "SystemControl": ("namespace", "value"),
    "TaskDefinitionPlacementConstraint": ("type", "expression"),
    "Tag": ("key", "value"),
    "Tmpfs": ("containerPath", "size"),
    "TrustedExecutionConfiguration": ("isolationMode",),
    "Ulimit": ("name", "softLimit", "hardLimit"),
    "VolumeFrom": ("sourceContainer",),
    "CapacityProviderStrategyItem": ("capacityProvider",),
    "ClusterSetting": ("name", "value"),
    "ClusterServiceConnectDefaultsRequest": ("namespace",),
    "ContainerOverride": ("name",),
    "EBSTagSpecification": ("resourceType",),
    "InferenceAcceleratorOverride": ("deviceName", "deviceType"),
    "PlacementConstraint": ("type",),
    "PlacementStrategy": ("type", "field"),
    "PlatformDevice": ("id", "type"),
    "RegisterContainerInstanceRequest": ("totalResources",),
    "RunTaskRequest": ("taskDefinition",),
    "StartTaskRequest": ("taskDefinition", "containerInstances"),
    "TaskManagedEBSVolumeConfiguration": ("roleArn",),
    "TaskManagedEBSVolumeTerminationPolicy": ("deleteOnTermination",),
    "TaskVolumeConfiguration": ("name",),
    "AwsVpcConfiguration": ("subnets",),
    "Attribute": ("name", "value"),
    "AttachmentStateChange": ("attachmentArn", "status"),
    "ContainerStateChange": ("containerName", "status"),
    "ManagedAgentStateChange": ("containerName", "managedAgentName", "status"),
    "ContainerRestartPolicy": ("enabled",),
}
"""Members that go with any other of the structure."""

TOGETHER: dict[str, tuple[str, ...]] = {
    "LinuxParameters.swappiness": ("maxSwap",),
    "PortMapping.hostPort": ("containerPort",),
    "PortMapping.protocol": ("containerPort",),
    "PortMapping.name": ("containerPort",),
    "PortMapping.appProtocol": ("containerPort",),
}
"""Members that go with one."""


ALONE = frozenset(
    {
        "containerDefinitions[].essential",
        "containerDefinitions[].memory",
        "containerDefinitions[].portMappings[].containerPort",
        "containerDefinitions[].portMappings[].containerPortRange",
    }
)
"""Members that a definition cannot be without, so that another value is compared."""


def top(paths: str) -> tuple[str, ...]:
    """The steps of a path, without the marks of lists and maps."""
    return tuple(step.replace("[]", "").replace("{}", "") for step in paths.split("."))


def request(family: str, path: str = "") -> dict[str, Any]:
    """A definition that is plain but for the member at the path; without one, the plain one."""
    whole: dict[str, Any] = {
        "family": family,
        "containerDefinitions": [dict(MAIN), dict(SIDE)],
        "volumes": [dict(DATA)],
    }
    if not path:
        return whole
    shape = contract.ecs().shape_for("RegisterTaskDefinitionRequest")
    steps = top(path)
    if path == "containerDefinitions[].essential":
        whole["containerDefinitions"][0]["essential"], whole["containerDefinitions"][1]["essential"] = False, True
    elif steps[0] == "containerDefinitions" and len(steps) > 1:
        made = _made(shape.members["containerDefinitions"].member, steps[1:])
        whole["containerDefinitions"][0] |= made
    elif steps[0] == "volumes" and len(steps) > 1:
        whole["volumes"] = [{**DATA, **_made(shape.members["volumes"].member, steps[1:]), "name": "data"}]
    elif steps[0] not in whole:
        whole |= _made(shape, steps)
    return whole


def arguments(structure: str, path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A request with the member at the path, and those that it cannot be without; `values` are of this operation alone."""
    return _made(contract.ecs().shape_for(structure), top(path), values)


def beside(family: str, path: str) -> dict[str, Any]:
    """The same definition without the member: what it is compared with. Where the member cannot be left out, the plain one."""
    steps = top(path)
    shape: Any = contract.ecs().shape_for("RegisterTaskDefinitionRequest")
    for step in steps[:-1]:
        shape = shape.members[step]
        while shape.type_name == "list":
            shape = shape.member
    if steps[-1] in NEEDED.get(shape.name, ()) or path in ALONE:
        return request(family)
    whole = request(family, path)
    _drop(whole, steps)
    return whole


def _drop(value: Any, steps: tuple[str, ...]) -> None:
    if isinstance(value, list):
        _drop(value[0], steps)
    elif len(steps) == 1:
        value.pop(steps[0], None)
    else:
        _drop(value[steps[0]], steps[1:])


def value(shape: Any, steps: tuple[str, ...] = (), values: Mapping[str, Any] = VALUES) -> Any:
    """A value of a shape; of a structure, with the member that the steps lead to."""
    if shape.type_name == "structure":
        return _made(shape, steps, values)
    if shape.type_name == "list":
        return [value(shape.member, steps, values)]
    if shape.type_name == "map":
        return {"key": value(shape.value, steps, values)}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "word"
    made: dict[str, Any] = {"boolean": True, "integer": INTEGER, "long": INTEGER, "double": 1.5, "timestamp": 1.7e9}
    return made[shape.type_name]


def _made(shape: Any, steps: tuple[str, ...], values: Mapping[str, Any] = VALUES) -> dict[str, Any]:
    """A structure with the member that the first step names, and those that it cannot be without."""
    wanted = steps[:1] or tuple(shape.members)[:1]
    names = (*NEEDED.get(shape.name, ()), *wanted, *TOGETHER.get(f"{shape.name}.{wanted[0]}", ()))
    made: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        key = f"{shape.name}.{name}"
        rest = steps[1:] if name == wanted[0] else ()
        inner = shape.members[name]
        made[name] = values[key] if key in values and not rest else value(inner, rest, values)
    return made
