"""What runs on this host, for people and programs on it: ECS's introspection, `/v1/metadata` and `/v1/tasks`, on loopback.

`/v1/timings` is ours: when the last tasks passed which hop.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from longshore.agent import container_names, engine, runtime, states, task_record, task_state
from longshore.agent.metadata import inspections, task_metadata

COMMANDS = ("/v1/metadata", "/v1/tasks", "/v1/timings", "/license")
LICENSE = "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0\n"
_HOST = "127.0.0.1"
_SHORT_ID_DIGITS = 12
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

    def __init__(self, host: engine.TaskEngine, about: About, seen: inspections.Inspections) -> None:
        self._host = host
        self._about = about
        self._seen = seen
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
            {"TaskId": task_id} | {hop.value: task_metadata.time_text(at) for hop, at in moments.items()}
            for task_id, moments in self._host.timings.tasks.items()
        ]
        return web.json_response({"Timings": shown})

    async def _tasks(self, request: web.Request) -> web.Response:
        records = [record for record in self._host.tasks.values() if record.state.plans]
        arn, docker_id = request.query.get("taskarn", ""), request.query.get("dockerid", "")
        if not arn and not docker_id:
            return web.json_response({"Tasks": await self._shown(records)})
        if arn and docker_id:
            return web.json_response(_EMPTY, status=400)
        found = list(_by_arn(self._host.owner, records, arn) if arn else _by_docker_id(records, docker_id))
        if len(found) != 1:
            return web.json_response(_EMPTY, status=400 if found else 404)
        return web.json_response((await self._shown(found))[0])

    async def _shown(self, records: Sequence[task_record.TaskRecord]) -> list[dict[str, Any]]:
        seen = await self._seen.of(worth_asking(records))
        return [task(self._host.owner, record, seen) for record in records]


def worth_asking(records: Iterable[task_record.TaskRecord]) -> list[str]:
    """Containers that the engine is asked about: all that live, and some that have stopped. A host may keep ten thousand of these.

    The others are shown without what the engine alone knows, as where it does not answer.
    """
    living: list[str] = []
    ended: list[str] = []
    for record in records:
        (ended if record.stopped else living).extend(
            container.runtime_id for container in record.state.containers if container.runtime_id
        )
    return living + ended[: max(0, inspections.MAX_KEPT - len(living))]


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

    return (record for record in records if any(matches(container) for _, container in record.state.shown))


def task(
    owner: container_names.Owner, record: task_record.TaskRecord, seen: Mapping[str, runtime.ContainerSnapshot]
) -> dict[str, Any]:
    """A task in the shape of ECS's `/v1/tasks`. `seen`: its containers as the engine describes them."""
    return {
        "Arn": container_names.task_arn(owner, record.names),
        "DesiredStatus": task_metadata.desired_status(record.state),
        "KnownStatus": _KNOWN[record.state.phase],
        "Family": record.names.family,
        "Version": str(record.names.revision),
        "Containers": [
            _container(record, plan, container, seen.get(container.runtime_id))
            for plan, container in record.state.shown
        ],
    }


def _container(
    record: task_record.TaskRecord,
    plan: task_state.ContainerPlan,
    container: task_state.ContainerState,
    seen: runtime.ContainerSnapshot | None,
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "DockerId": container.runtime_id,
        "DockerName": container_names.container_name(record.names, plan.name),
        "Name": plan.name,
        "Image": plan.image,
        "ImageID": container.image_id or (seen.image_id if seen else ""),
    }
    created_at = container.created_at or (seen.created_at if seen else 0)
    started_at = container.started_at or (seen.started_at if seen else 0)
    if created_at:
        shown["CreatedAt"] = task_metadata.time_text(created_at)
    if started_at:
        shown["StartedAt"] = task_metadata.time_text(started_at)
    if ports := task_metadata.port_responses(container.bindings):
        shown["Ports"] = ports
    if networks := task_metadata.network_responses(record, seen, version=3):
        shown["Networks"] = networks
    if volumes := task_metadata.volume_responses(seen):
        shown["Volumes"] = volumes
    if plan.restart_policy is not None:
        shown["RestartCount"] = container.restarts
    return shown
