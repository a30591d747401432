"""Where containers' output goes: ECS's log drivers, as this host has them. Pure.

`awslogs` and `awsfirelens` send output to AWS. A host without credentials for it keeps the output itself, in files that turn over, so that
`longshore logs` has it and the definition runs as it is. The options are AWS's then, and mean nothing here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.v1 import task_definition_pb2 as definition_pb2

AWSLOGS = "awslogs"
AWSFIRELENS = "awsfirelens"
TO_AWS = frozenset({AWSLOGS, AWSFIRELENS})

_PLAIN = frozenset({"json-file", "syslog", "journald", "gelf", "fluentd", "splunk", "logentries"})
"""Drivers of ECS's vocabulary that need nothing on the host but the engine."""

_BUFFER = "10m"
"""A non-blocking log without a bound would grow in the engine's memory; ECS's agent sets the same."""

_KEPT = {"max-size": "20m", "max-file": "5"}
"""What is kept of a container's output in place of AWS: at most 100 MB, where json-file by itself has no bound."""

_ANY_DRIVERS = ("mode", "max-buffer-size")
"""Options that are the engine's, whatever the driver."""


_STREAM_PREFIX = "awslogs-stream-prefix"
"""ECS's own word, which Docker's driver refuses: the stream is named PREFIX/CONTAINER/TASK."""


def has_aws_credentials(environ: Mapping[str, str], credentials_file: object) -> bool:
    """Whether the host can send to AWS, as far as the agent is told."""
    return bool(environ.get("AWS_ACCESS_KEY_ID")) or credentials_file is not None


def sends_to_aws(engine_drivers: Iterable[str], *, credentials: bool) -> bool:
    """Whether `awslogs` is left to the engine."""
    return credentials and AWSLOGS in engine_drivers


def offered(engine_drivers: Iterable[str]) -> list[str]:
    """Drivers that a definition may name on this host."""
    return sorted({*((_PLAIN | TO_AWS) & frozenset(engine_drivers)), "none"})


def docker_config(configuration: definition_pb2.LogConfiguration, *, awslogs: bool, stream: str) -> dict[str, Any]:
    """Docker's log configuration. `awslogs`: that driver is left to the engine. `stream`: what is the container's after a prefix."""
    driver, options = configuration.log_driver, dict(configuration.options)
    if is_kept(driver, awslogs=awslogs):
        driver = "json-file"
        options = _KEPT | {name: options[name] for name in _ANY_DRIVERS if name in options}
    elif driver == AWSLOGS and (prefix := options.pop(_STREAM_PREFIX, "")):
        options.setdefault("awslogs-stream", f"{prefix}/{stream}")
    if options.get("mode") == "non-blocking":
        options.setdefault("max-buffer-size", _BUFFER)
    return {"Type": driver, "Config": options}


def is_kept(driver: str, *, awslogs: bool) -> bool:
    """Whether the output of this driver is kept here instead."""
    return driver == AWSFIRELENS or (driver == AWSLOGS and not awslogs)


def notes(definition: definition_pb2.TaskDefinition, *, awslogs: bool) -> dict[str, str]:
    """What an operator should know once of what a definition asks for: by what it asks for, the sentence."""
    found = {}
    for container in definition.container_definitions:
        driver = container.log_configuration.log_driver
        if is_kept(driver, awslogs=awslogs):
            found[driver] = (
                "its output is kept on this host, in json-file, and read with `longshore logs`; its options have no effect"
            )
        if container.HasField("firelens_configuration"):
            found["firelensConfiguration"] = "the router runs as any container; nothing is sent through it"
    return found
