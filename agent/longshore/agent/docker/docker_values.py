"""Docker's JSON, read into the runtime's dataclasses. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from longshore.agent import runtime, task_events, task_state

_MICROSECONDS = 1_000_000
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")
_NEVER_YEAR = "0001-"
_FOUND = {
    "created": task_events.Found.CREATED,
    "running": task_events.Found.RUNNING,
    "paused": task_events.Found.RUNNING,
    "restarting": task_events.Found.RUNNING,
    "removing": task_events.Found.EXITED,
    "exited": task_events.Found.EXITED,
    "dead": task_events.Found.EXITED,
}
# What an engine discards with no more than a warning where its kernel does not have it.
_LIMITS = ("MemoryLimit", "SwapLimit", "CPUShares")
_HEALTH = {
    "starting": task_state.Health.UNKNOWN,
    "healthy": task_state.Health.HEALTHY,
    "unhealthy": task_state.Health.UNHEALTHY,
}
# An engine that is going down still answers, but can no longer reach its own containerd, or has closed its own store.
_AWAY_TEXTS = (
    "transport is closing",
    "client connection is closing",
    "containerd.sock",
    "daemon is shutting down",
    "failed to update store for object type",
)


def engine_info(info: Mapping[str, Any], version: Mapping[str, Any]) -> runtime.EngineInfo:
    """The engine from the answers to /info and /version."""
    major, _, minor = str(version.get("ApiVersion", "1.0")).partition(".")
    return runtime.EngineInfo(
        engine_id=str(info.get("ID", "")),
        name=str(info.get("Name", "")),
        version=str(info.get("ServerVersion", "")),
        api_version=(int(major), int(minor or 0)),
        cpus=int(info["NCPU"]),
        memory_bytes=int(info["MemTotal"]),
        os_type=str(info.get("OSType", "linux")),
        architecture=str(info.get("Architecture", "")),
        logging_drivers=frozenset((info.get("Plugins") or {}).get("Log") or ()),
        cgroup_driver=str(info.get("CgroupDriver", "")),
        cgroup_version=int(info.get("CgroupVersion") or 1),
        data_root=str(info.get("DockerRootDir", "")),
        volume_drivers=frozenset((info.get("Plugins") or {}).get("Volume") or ()),
        lacks=frozenset(name for name in _LIMITS if info.get(name) is False),
        runtimes=frozenset(info.get("Runtimes") or ()),
        security_options=frozenset(_option(option) for option in info.get("SecurityOptions") or ()),
    )


def _option(text: str) -> str:
    return text.partition(",")[0].removeprefix("name=")


def engine_went_away(message: str) -> bool:
    """Whether an error tells of the engine's own end, and so nothing of the container it is about."""
    return any(part in message for part in _AWAY_TEXTS)


def host_image(data: Mapping[str, Any], internal_label: str) -> runtime.HostImage:
    """An image from the engine's list. What has no name is listed under `<none>`."""
    labels = data.get("Labels") or {}
    return runtime.HostImage(
        image_id=str(data["Id"]),
        tags=tuple(tag for tag in data.get("RepoTags") or () if not tag.startswith("<none>")),
        digests=tuple(digest for digest in data.get("RepoDigests") or () if not digest.startswith("<none>")),
        created_at=int(data.get("Created", 0)) * 1_000_000,
        internal=internal_label in labels,
    )


def snapshot(data: Mapping[str, Any]) -> runtime.ContainerSnapshot:
    """A container from the answer to an inspection."""
    state = data["State"]
    found = _FOUND.get(state["Status"], task_events.Found.EXITED)
    started_at = microseconds(state.get("StartedAt", ""))
    ended = found is task_events.Found.EXITED
    if ended and not started_at:
        # It failed before its process began; Docker versions differ in whether they still call that `created`.
        found, ended = task_events.Found.CREATED, False
    health = state.get("Health") or {}
    logging = data["HostConfig"].get("LogConfig") or {}
    error = str(state.get("Error") or "")
    return runtime.ContainerSnapshot(
        runtime_id=data["Id"],
        name=str(data.get("Name", "")).removeprefix("/"),
        found=found,
        labels=data["Config"].get("Labels") or {},
        exit_code=int(state["ExitCode"]) if ended else None,
        out_of_memory=ended and bool(state.get("OOMKilled")),
        error="" if engine_went_away(error) else error,
        image_id=str(data.get("Image", "")),
        bindings=bindings(data["HostConfig"].get("PortBindings") or {}),
        health=_HEALTH.get(health.get("Status", ""), task_state.Health.UNSPECIFIED),
        created_at=microseconds(data.get("Created", "")),
        started_at=started_at,
        finished_at=microseconds(state.get("FinishedAt", "")) if ended else 0,
        addresses=_addresses(data.get("NetworkSettings") or {}),
        mounts=tuple(
            runtime.Mount(str(mount.get("Name", "")), str(mount.get("Source", "")), str(mount.get("Destination", "")))
            for mount in data.get("Mounts") or ()
        ),
        checks=tuple(_check(entry) for entry in health.get("Log") or ()),
        log_driver=str(logging.get("Type", "")),
        log_options=logging.get("Config") or {},
    )


def _addresses(settings: Mapping[str, Any]) -> tuple[runtime.NetworkAddress, ...]:
    return tuple(
        runtime.NetworkAddress(
            network=name,
            ipv4=str(endpoint.get("IPAddress", "")),
            prefix_length=int(endpoint.get("IPPrefixLen") or 0),
            gateway=str(endpoint.get("Gateway", "")),
            mac=str(endpoint.get("MacAddress", "")),
        )
        for name, endpoint in (settings.get("Networks") or {}).items()
    )


def _check(entry: Mapping[str, Any]) -> runtime.Check:
    return runtime.Check(
        ended_at=microseconds(entry.get("End", "")),
        exit_code=int(entry.get("ExitCode") or 0),
        output=str(entry.get("Output", "")),
    )


def bindings(published: Mapping[str, Any]) -> tuple[task_state.Binding, ...]:
    """Published ports of a container as its create call named them."""
    result = []
    for key, places in published.items():
        port, _, protocol = key.partition("/")
        for place in places or ():
            if str(place.get("HostPort", "")).isdigit():
                address = place.get("HostIp") or "0.0.0.0"  # noqa: S104 - what ECS shows
                result.append(task_state.Binding(int(port), int(place["HostPort"]), protocol or "tcp", address))
    return tuple(result)


def network(data: Mapping[str, Any]) -> runtime.NetworkSummary:
    """A network from a line of the list."""
    configs = (data.get("IPAM") or {}).get("Config") or ()
    return runtime.NetworkSummary(
        name=str(data["Name"]),
        labels=data.get("Labels") or {},
        subnets=tuple(str(config["Subnet"]) for config in configs if config.get("Subnet")),
    )


def summary(data: Mapping[str, Any]) -> runtime.ContainerSummary:
    """A container from a line of the list."""
    names = data.get("Names") or [""]
    return runtime.ContainerSummary(
        runtime_id=data["Id"],
        name=names[0].removeprefix("/"),
        running=_FOUND.get(data["State"]) is task_events.Found.RUNNING,
        labels=data.get("Labels") or {},
    )


def news(data: Mapping[str, Any]) -> runtime.ContainerNews | None:
    """A container event; None where nobody needs to know."""
    actor = data.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    action, _, detail = str(data.get("Action", "")).partition(":")
    if action not in {"die", "start", "destroy", "health_status"}:
        return None
    code = attributes.get("exitCode", "")
    return runtime.ContainerNews(
        runtime_id=str(actor.get("ID", "")),
        action=action,
        labels=attributes,
        exit_code=int(code) if action == "die" and code.lstrip("-").isdigit() else None,
        health=_HEALTH.get(detail.strip(), task_state.Health.UNSPECIFIED),
    )


def microseconds(text: str) -> int:
    """Docker's time (nanoseconds, any number of digits) as microseconds since 1970; zero for its zero time."""
    match = _TIME.match(text)
    if match is None or text.startswith(_NEVER_YEAR):
        return 0
    whole = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
    return int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _MICROSECONDS + int(
        (match[2] or "0").ljust(6, "0")[:6]
    )
