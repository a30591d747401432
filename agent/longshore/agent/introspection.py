"""What runs on this host, for people and programs on it: ECS's introspection, `/v1/metadata` and `/v1/tasks`, on loopback.

`/v1/timings` is ours: when the last tasks passed which hop.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from longshore.agent import container_names, engine, states, task_record, task_state

COMMANDS = ("/v1/metadata", "/v1/tasks", "/v1/timings", "/license")
LICENSE = "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0\n"
_HOST = "127.0.0.1"
_SHORT_ID_DIGITS = 12
_MICROSECONDS = 1_000_000
_KNOWN = {
    states.TaskPhase.PENDING: "PENDING",
    states.TaskPhase.RUNNING: "RUNNING",
    states.TaskPhase.STOPPED: "STOPPED",
}


class PortInUseError(Exception):
    """The introspection port cannot be had. The message says what to do."""


@dataclass(frozen=True, slots=True)
class About:
    """What `/v1/metadata` says beside the instance."""

    cluster: str
    agent_version: str


class Introspection:
    """The HTTP server."""

    def __init__(self, host: engine.TaskEngine, about: About) -> None:
        self._host = host
        self._about = about
        application = web.Application()
        application.add_routes(
            [
                web.get("/", self._commands),
                web.get("/v1/metadata", self._metadata),
                web.get("/v1/tasks", self._tasks),
                web.get("/v1/timings", self._timings),
                web.get("/license", self._license),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self, port: int) -> int:
        """Serve on this port of 127.0.0.1, zero for a free one; return the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise PortInUseError(
                f"port {port} on {_HOST} is taken ({error.strerror}); another agent may run on this host. "
                "Choose another with --introspection-port."
            ) from error
        found: int = self._runner.addresses[0][1]
        return found

    async def stop(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _commands(self, _: web.Request) -> web.Response:
        return web.json_response({"AvailableCommands": COMMANDS})

    async def _license(self, _: web.Request) -> web.Response:
        return web.Response(text=LICENSE)

    async def _metadata(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "Cluster": self._about.cluster,
                "ContainerInstanceArn": self._host.owner.instance_arn or None,
                "Version": f"Longshore Agent - v{self._about.agent_version}",
            }
        )

    async def _timings(self, _: web.Request) -> web.Response:
        shown = [
            {"TaskId": task_id} | {hop.value: _time(at) for hop, at in moments.items()}
            for task_id, moments in self._host.timings.tasks.items()
        ]
        return web.json_response({"Timings": shown})

    async def _tasks(self, request: web.Request) -> web.Response:
        records = [record for record in self._host.tasks.values() if record.state.plans]
        arn, docker_id = request.query.get("taskarn", ""), request.query.get("dockerid", "")
        if not arn and not docker_id:
            return web.json_response({"Tasks": [task(self._host.owner, record) for record in records]})
        if arn and docker_id:
            return web.json_response(_EMPTY, status=400)
        found = list(_by_arn(self._host.owner, records, arn) if arn else _by_docker_id(records, docker_id))
        if len(found) != 1:
            return web.json_response(_EMPTY, status=400 if found else 404)
        return web.json_response(task(self._host.owner, found[0]))


_EMPTY: dict[str, Any] = {"Arn": "", "KnownStatus": "", "Family": "", "Version": "", "Containers": None}
"""ECS's answer beside an error status: a task without anything."""


def _by_arn(
    owner: container_names.Owner, records: Iterable[task_record.TaskRecord], arn: str
) -> Iterable[task_record.TaskRecord]:
    return (record for record in records if container_names.task_arn(owner, record.names) == arn)


def _by_docker_id(records: Iterable[task_record.TaskRecord], docker_id: str) -> Iterable[task_record.TaskRecord]:
    def matches(container: task_state.ContainerState) -> bool:
        if len(docker_id) <= _SHORT_ID_DIGITS:
            return container.runtime_id.startswith(docker_id)
        return container.runtime_id == docker_id

    return (record for record in records if any(matches(container) for container in record.state.containers))


def task(owner: container_names.Owner, record: task_record.TaskRecord) -> dict[str, Any]:
    """A task in the shape of ECS's `/v1/tasks`."""
    return {
        "Arn": container_names.task_arn(owner, record.names),
        "DesiredStatus": "RUNNING" if record.state.stop_cause is None else "STOPPED",
        "KnownStatus": _KNOWN[record.state.phase],
        "Family": record.names.family,
        "Version": str(record.names.revision),
        "Containers": [
            _container(record, plan, container)
            for plan, container in zip(record.state.plans, record.state.containers, strict=True)
        ],
    }


def _container(
    record: task_record.TaskRecord, plan: task_state.ContainerPlan, container: task_state.ContainerState
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "DockerId": container.runtime_id,
        "DockerName": container_names.container_name(record.names, plan.name),
        "Name": plan.name,
        "Image": plan.image,
        "ImageID": container.image_id,
    }
    if container.created_at:
        shown["CreatedAt"] = _time(container.created_at)
    if container.started_at:
        shown["StartedAt"] = _time(container.started_at)
    if container.bindings:
        shown["Ports"] = [
            {
                "ContainerPort": binding.container_port,
                "Protocol": binding.protocol,
                "HostPort": binding.host_port,
                "HostIp": binding.host_ip,
            }
            for binding in container.bindings
        ]
    volumes = [
        {"Source": mount.source_volume, "Destination": mount.container_path}
        for mount in record.parts[plan.name].mount_points
    ]
    if volumes:
        shown["Volumes"] = volumes
    return shown


def _time(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / _MICROSECONDS, UTC).isoformat().replace("+00:00", "Z")
