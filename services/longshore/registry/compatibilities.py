"""Which launch types a definition fits: one table per launch type of what it asks for (ecs.md section 1.1). Pure.

EC2 asks for nothing beyond the rules that hold for every definition.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from longshore.registry import rule, subjects
from longshore.registry.rule import Found, Rule, Table
from longshore.registry.subjects import Container, Definition, Volume
from longshore.v1 import common_pb2, task_definition_pb2

_SOURCE = "ecs.md 1.1"

_FARGATE_MIB: Mapping[int, frozenset[int]] = MappingProxyType(
    {
        256: frozenset({512, 1024, 2048}),
        512: frozenset(range(1024, 4096 + 1, 1024)),
        1024: frozenset(range(2048, 8192 + 1, 1024)),
        2048: frozenset(range(4096, 16384 + 1, 1024)),
        4096: frozenset(range(8192, 30720 + 1, 1024)),
        8192: frozenset(range(16384, 61440 + 1, 4096)),
        16384: frozenset(range(32768, 122880 + 1, 8192)),
    }
)
"""Fargate's sizes: MiB that go with each number of CPU units."""

_FARGATE_LOG_DRIVERS = frozenset({"awslogs", "splunk", "awsfirelens"})
_FARGATE_STOP_TIMEOUT_S = 120
_MANAGED_LOG_DRIVERS = _FARGATE_LOG_DRIVERS | {"json-file"}


def _mode_not_in(*allowed: task_definition_pb2.NetworkMode.ValueType) -> Callable[[Definition], Iterator[Found]]:
    def check(definition: Definition) -> Iterator[Found]:
        if definition.network_mode not in allowed:
            yield Found("networkMode", definition.network_mode)

    return check


def _no_fargate_size(definition: Definition) -> Iterator[Found]:
    if definition.memory not in _FARGATE_MIB.get(definition.cpu or 0, frozenset()):
        yield Found("cpu", definition.cpu, {"cpu": definition.cpu or "none", "memory": definition.memory or "none"})


_NO_RULES: Table[Any] = Table(())


@dataclass(frozen=True, slots=True)
class _Needs:
    """What one launch type asks of a definition."""

    definition: Table[Definition] = _NO_RULES
    containers: Table[Container] = _NO_RULES
    volumes: Table[Volume] = _NO_RULES


def _none_of(*fields: str) -> tuple[Rule[Container], ...]:
    return tuple(
        Rule(f"without-{field}", _SOURCE, rule.absent(field), text="{subject} must not give {field}")
        for field in fields
    )


_FARGATE = _Needs(
    definition=Table(
        (
            Rule(
                "network-mode",
                _SOURCE,
                _mode_not_in(task_definition_pb2.NETWORK_MODE_AWSVPC),
                text="networkMode must be 'awsvpc'",
            ),
            Rule(
                "size",
                _SOURCE,
                _no_fargate_size,
                text="cpu and memory must be one of Fargate's sizes (they are {cpu} units and {memory} MiB)",
            ),
            Rule("ipc-mode", _SOURCE, rule.absent("ipcMode"), text="ipcMode must be left out"),
            Rule(
                "pid-mode",
                _SOURCE,
                rule.each("pidMode", rule.one_of({"task"})),
                text="pidMode must be 'task' or left out",
            ),
            Rule(
                "constraints",
                _SOURCE,
                rule.absent("placementConstraints"),
                text="placementConstraints must be left out",
            ),
        )
    ),
    containers=Table(
        (
            Rule(
                "privileged",
                _SOURCE,
                rule.each("privileged", lambda on: not on),
                text="{subject} must not be privileged",
            ),
            Rule(
                "log-driver",
                _SOURCE,
                rule.each("logConfiguration.logDriver", rule.one_of(_FARGATE_LOG_DRIVERS)),
                text="the log driver of {subject}, {value}, must be awslogs, splunk or awsfirelens",
            ),
            Rule(
                "capabilities",
                _SOURCE,
                rule.each("linuxParameters.capabilities.add[]", rule.one_of({"SYS_PTRACE"})),
                text="{subject} must not add the capability {value}",
            ),
            Rule(
                "stop-timeout",
                _SOURCE,
                rule.each("stopTimeout", rule.between(0, _FARGATE_STOP_TIMEOUT_S)),
                text=f"the stopTimeout of {{subject}}, {{value}} s, must be at most {_FARGATE_STOP_TIMEOUT_S} s",
            ),
            *_none_of(
                "linuxParameters.devices",
                "linuxParameters.tmpfs",
                "linuxParameters.sharedMemorySize",
                "linuxParameters.maxSwap",
                "linuxParameters.swappiness",
                "dockerSecurityOptions",
                "resourceRequirements",
            ),
        )
    ),
    volumes=Table(
        (
            Rule("host-path", _SOURCE, rule.absent("host.sourcePath"), text="{subject} must not be a path of the host"),
            Rule(
                "docker-volume",
                _SOURCE,
                rule.absent("dockerVolumeConfiguration"),
                text="{subject} must not be a Docker volume",
            ),
        )
    ),
)

_EXTERNAL = _Needs(
    definition=Table(
        (
            Rule(
                "network-mode",
                _SOURCE,
                _mode_not_in(
                    task_definition_pb2.NETWORK_MODE_BRIDGE,
                    task_definition_pb2.NETWORK_MODE_HOST,
                    task_definition_pb2.NETWORK_MODE_NONE,
                ),
                text="networkMode must not be 'awsvpc'",
            ),
        )
    ),
    volumes=Table(
        (
            Rule(
                "efs", _SOURCE, rule.absent("efsVolumeConfiguration"), text="{subject} must not be an EFS file system"
            ),
            Rule(
                "launch",
                _SOURCE,
                rule.each("configuredAtLaunch", lambda on: not on),
                text="{subject} must not be configured at launch",
            ),
        )
    ),
)

_MANAGED = _Needs(
    definition=Table(
        (
            Rule(
                "network-mode",
                _SOURCE,
                _mode_not_in(task_definition_pb2.NETWORK_MODE_AWSVPC, task_definition_pb2.NETWORK_MODE_HOST),
                text="networkMode must be 'awsvpc' or 'host'",
            ),
            Rule("cpu", _SOURCE, rule.required("cpu"), text="cpu must be given"),
            Rule("memory", _SOURCE, rule.required("memory"), text="memory must be given"),
        )
    ),
    containers=Table(
        (
            Rule(
                "log-driver",
                _SOURCE,
                rule.each("logConfiguration.logDriver", rule.one_of(_MANAGED_LOG_DRIVERS)),
                text="the log driver of {subject}, {value}, must be awslogs, splunk, awsfirelens or json-file",
            ),
        )
    ),
    volumes=Table(
        (
            Rule(
                "docker-volume",
                _SOURCE,
                rule.absent("dockerVolumeConfiguration"),
                text="{subject} must not be a Docker volume",
            ),
        )
    ),
)

NEEDS: Mapping[common_pb2.Compatibility.ValueType, _Needs] = MappingProxyType(
    {
        common_pb2.COMPATIBILITY_EC2: _Needs(),
        common_pb2.COMPATIBILITY_FARGATE: _FARGATE,
        common_pb2.COMPATIBILITY_EXTERNAL: _EXTERNAL,
        common_pb2.COMPATIBILITY_MANAGED_INSTANCES: _MANAGED,
    }
)


def unmet(definition: Definition, wanted: common_pb2.Compatibility.ValueType) -> Iterator[str]:
    """What keeps a definition from fitting a launch type, in words. An unknown launch type is for another rule."""
    needs = NEEDS.get(wanted, _Needs())
    for fault in needs.definition.faults((definition,)):
        yield fault.message
    for fault in needs.containers.faults(subjects.containers(definition)):
        yield fault.message
    for fault in needs.volumes.faults(subjects.volumes(definition)):
        yield fault.message


def of(definition: Definition) -> list[common_pb2.Compatibility.ValueType]:
    """All launch types that a definition fits."""
    return [wanted for wanted in NEEDS if not any(unmet(definition, wanted))]
