"""docs/task-definition.md: what becomes of every parameter of a task definition, and what it is at the container engine.

The parameters and what becomes of them are RegisterTaskDefinition's, from ECS's model and the contract, as in `document`. What is added
here is where each one goes: the members of Docker's create call, which a test compares with the call that the agent makes, and in words what
the agent or the scheduler does with it.
"""

from collections.abc import Iterator, Mapping, Sequence

from tests.conformance import contract, document
from tests.conformance.contract import Member

FILE = document.FILE.with_name("task-definition.md")

_C = "containerDefinitions[]."
_L = f"{_C}linuxParameters."

DOCKER: Mapping[str, tuple[str, ...]] = {
    "networkMode": ("HostConfig.NetworkMode",),
    "pidMode": ("HostConfig.PidMode",),
    "ipcMode": ("HostConfig.IpcMode",),
    f"{_C}image": ("Image",),
    f"{_C}cpu": ("HostConfig.CpuShares",),
    f"{_C}memory": ("HostConfig.Memory",),
    f"{_C}memoryReservation": ("HostConfig.MemoryReservation",),
    f"{_C}links": ("HostConfig.Links",),
    f"{_C}portMappings": ("ExposedPorts", "HostConfig.PortBindings"),
    f"{_C}portMappings[].containerPort": ("ExposedPorts", "HostConfig.PortBindings"),
    f"{_C}portMappings[].hostPort": ("HostConfig.PortBindings",),
    f"{_C}portMappings[].protocol": ("ExposedPorts", "HostConfig.PortBindings"),
    f"{_C}portMappings[].containerPortRange": ("ExposedPorts", "HostConfig.PortBindings"),
    f"{_C}entryPoint": ("Entrypoint",),
    f"{_C}command": ("Cmd",),
    f"{_C}environment": ("Env",),
    f"{_C}environment[].name": ("Env",),
    f"{_C}environment[].value": ("Env",),
    f"{_C}mountPoints": ("HostConfig.Binds",),
    f"{_C}mountPoints[].sourceVolume": ("HostConfig.Binds",),
    f"{_C}mountPoints[].containerPath": ("HostConfig.Binds",),
    f"{_C}mountPoints[].readOnly": ("HostConfig.Binds",),
    f"{_C}volumesFrom": ("HostConfig.VolumesFrom",),
    f"{_C}volumesFrom[].sourceContainer": ("HostConfig.VolumesFrom",),
    f"{_C}volumesFrom[].readOnly": ("HostConfig.VolumesFrom",),
    f"{_L}capabilities": ("HostConfig.CapAdd",),
    f"{_L}capabilities.add": ("HostConfig.CapAdd",),
    f"{_L}capabilities.drop": ("HostConfig.CapDrop",),
    f"{_L}devices": ("HostConfig.Devices",),
    f"{_L}devices[].hostPath": ("HostConfig.Devices",),
    f"{_L}devices[].containerPath": ("HostConfig.Devices",),
    f"{_L}devices[].permissions": ("HostConfig.Devices",),
    f"{_L}initProcessEnabled": ("HostConfig.Init",),
    f"{_L}sharedMemorySize": ("HostConfig.ShmSize",),
    f"{_L}tmpfs": ("HostConfig.Tmpfs",),
    f"{_L}tmpfs[].containerPath": ("HostConfig.Tmpfs",),
    f"{_L}tmpfs[].size": ("HostConfig.Tmpfs",),
    f"{_L}tmpfs[].mountOptions": ("HostConfig.Tmpfs",),
    f"{_L}maxSwap": ("HostConfig.MemorySwap",),
    f"{_L}swappiness": ("HostConfig.MemorySwappiness",),
    f"{_C}stopTimeout": ("StopTimeout",),
    f"{_C}hostname": ("Hostname",),
    f"{_C}user": ("User",),
    f"{_C}workingDirectory": ("WorkingDir",),
    f"{_C}disableNetworking": ("NetworkDisabled",),
    f"{_C}privileged": ("HostConfig.Privileged",),
    f"{_C}readonlyRootFilesystem": ("HostConfig.ReadonlyRootfs",),
    f"{_C}dnsServers": ("HostConfig.Dns",),
    f"{_C}dnsSearchDomains": ("HostConfig.DnsSearch",),
    f"{_C}extraHosts": ("HostConfig.ExtraHosts",),
    f"{_C}extraHosts[].hostname": ("HostConfig.ExtraHosts",),
    f"{_C}extraHosts[].ipAddress": ("HostConfig.ExtraHosts",),
    f"{_C}dockerSecurityOptions": ("HostConfig.SecurityOpt",),
    f"{_C}interactive": ("OpenStdin",),
    f"{_C}pseudoTerminal": ("Tty",),
    f"{_C}dockerLabels": ("Labels",),
    f"{_C}ulimits": ("HostConfig.Ulimits",),
    f"{_C}ulimits[].name": ("HostConfig.Ulimits",),
    f"{_C}ulimits[].softLimit": ("HostConfig.Ulimits",),
    f"{_C}ulimits[].hardLimit": ("HostConfig.Ulimits",),
    f"{_C}logConfiguration": ("HostConfig.LogConfig",),
    f"{_C}logConfiguration.logDriver": ("HostConfig.LogConfig",),
    f"{_C}logConfiguration.options": ("HostConfig.LogConfig",),
    f"{_C}healthCheck": ("Healthcheck",),
    f"{_C}healthCheck.command": ("Healthcheck.Test",),
    f"{_C}healthCheck.interval": ("Healthcheck.Interval",),
    f"{_C}healthCheck.timeout": ("Healthcheck.Timeout",),
    f"{_C}healthCheck.retries": ("Healthcheck.Retries",),
    f"{_C}healthCheck.startPeriod": ("Healthcheck.StartPeriod",),
    f"{_C}systemControls": ("HostConfig.Sysctls",),
    f"{_C}systemControls[].namespace": ("HostConfig.Sysctls",),
    f"{_C}systemControls[].value": ("HostConfig.Sysctls",),
    "volumes[].host.sourcePath": ("HostConfig.Binds",),
}
"""Members of the create call, by the parameter that they come of."""

ELSEWHERE: Mapping[str, str] = {
    "family": "part of the containers' names and labels",
    "containerDefinitions": "a container each",
    "requiresCompatibilities": "checked at registration",
    "tags": "the revision's",
    "tags[].key": "the revision's",
    "tags[].value": "the revision's",
    "cpu": "CPU quota of the task's control group, a hard limit; reserved at placement",
    "memory": "memory limit of the task's control group; reserved at placement",
    "runtimePlatform": "placement",
    "runtimePlatform.cpuArchitecture": "placement: `ecs.cpu-architecture`",
    "runtimePlatform.operatingSystemFamily": "placement: `ecs.os-type`",
    "placementConstraints": "placement",
    "placementConstraints[].type": "placement",
    "placementConstraints[].expression": "placement",
    f"{_C}name": "part of the container's name, and a label",
    f"{_C}cpu": "2 at least, 262144 at most; a weight, not a cap; reserved at placement",
    f"{_C}memory": "4 MiB at least; reserved at placement",
    f"{_C}memoryReservation": "reserved at placement in place of `memory`",
    f"{_C}links": "the other container is started first",
    f"{_C}volumesFrom": "the other container is started first",
    f"{_C}portMappings[].hostPort": "the agent chooses where it is 0 or left out; reserved at placement",
    f"{_C}essential": "its end is that of the task",
    f"{_C}restartPolicy": "the agent starts the container again, in place",
    f"{_C}restartPolicy.enabled": "the agent starts the container again, in place",
    f"{_C}restartPolicy.ignoredExitCodes": "the agent",
    f"{_C}restartPolicy.restartAttemptPeriod": "the agent",
    f"{_C}linuxParameters": "see its members",
    f"{_L}maxSwap": "added to `memory`",
    f"{_L}swappiness": "only with `maxSwap`",
    f"{_C}dependsOn": "order of starts, and the reverse of stops",
    f"{_C}dependsOn[].containerName": "order of starts, and the reverse of stops",
    f"{_C}dependsOn[].condition": "order of starts",
    f"{_C}startTimeout": "how long others wait for the container's end or health",
    f"{_C}stopTimeout": "also with each stop of the agent; the signal is the image's STOPSIGNAL",
    f"{_C}dockerLabels": "the agent's own win",
    f"{_C}healthCheck": "an image's own check is not shown",
    f"{_C}firelensConfiguration": "placement",
    f"{_C}firelensConfiguration.type": "placement: `ecs.capability.firelens.*`",
    f"{_C}resourceRequirements": "placement by id; `NVIDIA_VISIBLE_DEVICES`, and the `nvidia` runtime or device files",
    f"{_C}resourceRequirements[].type": "placement",
    f"{_C}resourceRequirements[].value": "placement",
    "volumes": "see its members",
    "volumes[].name": "what `mountPoints` name",
    "volumes[].host": "without `sourcePath`: a volume that goes with the task",
    "volumes[].dockerVolumeConfiguration": "a volume of the engine",
    "volumes[].dockerVolumeConfiguration.scope": "goes with the task, or is kept and shared",
    "volumes[].dockerVolumeConfiguration.autoprovision": "whether a shared one is made where it is missing",
    "volumes[].dockerVolumeConfiguration.driver": "`Driver` of the volume; placement: `ecs.capability.docker-plugin.*`",
    "volumes[].dockerVolumeConfiguration.driverOpts": "`DriverOpts` of the volume",
    "volumes[].dockerVolumeConfiguration.labels": "`Labels` of the volume",
}
"""In words, where a parameter goes that is no member of the create call, or what there is to say beside it."""

_HEAD = """# Parameters of a task definition

Made by `make conformance` from ECS's model as botocore {botocore} has it, the options in `protos/longshore/v1` and the mapping in
tests/conformance; do not edit. Tests hold each line to the truth: that a parameter is shown as it was given, that one that is honoured makes a
difference at placement, in the agent's plan or in the call that makes the container, that a member of Docker's create call named here
is the one that changes, that a refusal names what it refuses.

| | |
|---|---|
| **honoured** | it has the effect that it has in ECS |
| stored | it is kept and shown, and has no effect |
| not placed | it is kept and shown, and a task of the definition is placed nowhere, with a reason that names it |
| refused | the registration is refused, with a reason that names it |

`[]` marks the items of a list. What stands in a refused structure is refused with it. Overrides of RunTask and StartTask lie over these
parameters and go the same ways ([what of ECS's API is there](conformance.md)); how the agent carries them out is in
[its design](design/agent.md).
"""

_WORDS = {
    contract.SUPPORTED: "**honoured**",
    contract.STORED: "stored",
    contract.UNPLACEABLE: "not placed",
    contract.REFUSED: "refused",
}


def members() -> list[Member]:
    """Every parameter, in the model's order."""
    return [member for member in contract.members("RegisterTaskDefinition") if member.in_request]


def render() -> str:
    """The whole page."""
    every = members()
    lines = [*_HEAD.format(botocore=document.series()).splitlines(), ""]
    groups: tuple[tuple[str, str, Sequence[Member]], ...] = (
        ("The task", "", [each for each in every if not each.path.startswith((_C, "volumes[]."))]),
        ("A container", _C, [each for each in every if each.path.startswith(_C)]),
        ("A volume", "volumes[].", [each for each in every if each.path.startswith("volumes[].")]),
    )
    for title, prefix, found in groups:
        lines += [f"## {title}", "", *_table(found, prefix)]
    return "\n".join(lines).rstrip() + "\n"


def _table(found: Sequence[Member], prefix: str) -> Iterator[str]:
    yield from document.table(
        ("parameter", "", "goes to", "why, or within which bounds"),
        [
            (
                f"`{each.path.removeprefix(prefix)}`",
                _WORDS[each.handling],
                _goes_to(each.path) if each.handling == contract.SUPPORTED else "",
                _note(each, found),
            )
            for each in found
        ],
    )


def _goes_to(path: str) -> str:
    docker = ", ".join(f"`{name}`" for name in DOCKER.get(path, ()))
    return "; ".join(filter(None, (docker, ELSEWHERE.get(path, ""))))


def _note(member: Member, found: Sequence[Member]) -> str:
    """Why; where a parameter only shares the fate of what it stands in, that."""
    if member.note or member.handling == contract.SUPPORTED:
        return member.note
    outer = [
        other for other in found if member.path.startswith((f"{other.path}.", f"{other.path}[]", f"{other.path}{{}}"))
    ]
    return next((f"as `{other.name}`" for other in reversed(outer) if other.handling == member.handling), "")
