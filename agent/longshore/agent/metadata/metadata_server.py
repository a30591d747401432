"""The task metadata endpoint, versions 3 and 4 (ECS's TMDS): what containers ask the agent about themselves, over HTTP.

Whoever knows a container's id may ask what that container may ask; there is no other credential. Callers are limited by their address.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from longshore.agent import container_names, engine, runtime, task_record
from longshore.agent.metadata import (
    container_keys,
    engine_statistics,
    inspections,
    metadata_address,
    rate_limit,
    task_metadata,
    web_connections,
)

_log = structlog.get_logger(__name__)

DEFAULT_RATE = (40, 60)
"""Requests a second from one address, and in a burst: ECS_TASK_METADATA_RPS_LIMIT's default."""
ZONE_ATTRIBUTE = "ecs.availability-zone"
LOOPBACK = "127.0.0.1"
NOT_SERVED = "Longshore's agent does not serve this"
_V3, _V4 = 3, 4
_UNKNOWN_STATUS = {_V3: 400, _V4: 404}
"""What ECS's agent answers for an id that nobody has."""
_RETRY_LATER = "You have reached maximum request limit."

Tags = Callable[[str], Awaitable[Mapping[str, str]]]


class TagsRefused(Exception):  # noqa: N818 - named by what happened
    """The tags of a resource could not be read."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Terms:
    """How the endpoint behaves."""

    per_second: int = DEFAULT_RATE[0]
    burst: int = DEFAULT_RATE[1]
    zone: str = ""
    """Availability zone of the host, where it has one."""


class MetadataServer:
    """The HTTP server. Made inside a running event loop."""

    def __init__(self, host: engine.TaskEngine, seen: inspections.Inspections, terms: Terms, tags: Tags) -> None:
        self._host = host
        self._seen = seen
        self._terms = terms
        self._tags = tags
        self._statistics = engine_statistics.EngineStatistics(host.runtime)
        self._limit = rate_limit.RateLimit(terms.per_second, terms.burst)
        self._keys: container_keys.Keys | None = None
        self._known: container_keys.Index | None = None
        self._base = ""
        self._runner = web.AppRunner(self._application(), access_log=None)
        self._connections = web_connections.Connections(self._runner)

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._limited])
        for version in (_V3, _V4):
            for path, answer in (
                ("", self._container),
                ("/", self._container),
                ("/task", self._task),
                ("/taskWithTags", self._task_with_tags),
                ("/stats", self._stats),
                ("/task/stats", self._task_stats),
            ):
                application.router.add_get(f"/v{version}/{{id}}{path}", _versioned(answer, version))
        application.router.add_get("/v1/credentials", self._credentials)
        application.router.add_get("/v2/credentials{id:(/.*)?}", self._credentials)
        application.router.add_route("*", "/api/{id}/task-protection/v1/state", self._protection)
        application.router.add_route("*", "/api/{id}/fault/v1/{fault}/{operation}", self._fault)
        return application

    # ---------------------------------------------------------------- the process

    async def start(self, place: metadata_address.Place | None, loopback_port: int) -> None:
        """Serve at `place`, as containers are told, and on the loopback; say so where one cannot be had. Without a place, nowhere."""
        await self._runner.setup()
        if place is None:
            return
        try:
            listening = await metadata_address.listen(self._host.runtime, place)
        except metadata_address.NotServed as error:
            _log.warning("task_metadata_not_served", error_reason=str(error))
        else:
            await self._connections.serve(listening)
            self._base = place.url
        try:
            await self._connections.serve(metadata_address.bound(LOOPBACK, loopback_port))
        except OSError as error:
            _log.warning(
                "task_metadata_not_served",
                error_reason=f"port {loopback_port} on {LOOPBACK} is taken ({error.strerror}); "
                "choose another with --task-metadata-port",
            )

    async def stop(self) -> None:
        """Stop serving."""
        self._connections.close()
        await self._runner.cleanup()

    @property
    def served_at(self) -> str:
        """URL that containers are told; empty where they are told none."""
        return self._base

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return self._connections.addresses

    def identify(self, credential: str) -> None:
        """Take the identity whose containers are served from now on."""
        self._keys = container_keys.Keys(credential)
        self._known = container_keys.Index(self._keys)

    def variables(self, task_id: str, container: str) -> Mapping[str, str]:
        """Variables that tell a container where it finds its metadata."""
        if not self._base or self._keys is None:
            return {}
        key = self._keys.of(task_id, container)
        return {
            "ECS_CONTAINER_METADATA_URI": f"{self._base}/v{_V3}/{key}",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self._base}/v{_V4}/{key}",
        }

    # ---------------------------------------------------------------- who asks

    @web.middleware
    async def _limited(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not self._limit.admits(request.remote or "", time.monotonic()):
            return web.Response(status=429, text=_RETRY_LATER)
        return await handler(request)

    def _find(self, key: str) -> tuple[task_record.TaskRecord, str] | None:
        """The container that has this id."""
        if self._known is None:
            return None
        return self._known.find(key, self._host.tasks, lambda record: [plan.name for plan, _ in record.state.shown])

    # ---------------------------------------------------------------- answers

    async def _container(self, version: int, key: str) -> web.Response:
        found = self._find(key)
        if found is None:
            return _unknown(version, "container metadata", key)
        record, name = found
        runtime_id = record.state.container(name).runtime_id
        seen = await self._seen.of([runtime_id])
        shown = task_metadata.container(self._host.owner, record, name, seen.get(runtime_id), version=version)
        return web.json_response(shown)

    async def _task(self, version: int, key: str) -> web.Response:
        found = self._find(key)
        if found is None:
            return _unknown(version, "task metadata", key)
        return web.json_response(await self._shown(found[0], version))

    async def _task_with_tags(self, version: int, key: str) -> web.Response:
        found = self._find(key)
        if found is None:
            return _unknown(version, "task metadata", key)
        owner = self._host.owner
        shown = await self._shown(found[0], version)
        faults = []
        for member, arn in (("ContainerInstanceTags", owner.instance_arn), ("TaskTags", shown["TaskARN"])):
            try:
                tags = await self._tags(arn)
            except TagsRefused as error:
                faults.append(_tags_fault(member, arn, error))
            else:
                if tags:
                    shown[member] = dict(tags)
        if faults:
            shown["Errors"] = faults
        return web.json_response(shown)

    async def _shown(self, record: task_record.TaskRecord, version: int) -> dict[str, Any]:
        seen = await self._seen.of(state.runtime_id for _, state in record.state.shown)
        return task_metadata.task(self._host.owner, record, seen, version=version, zone=self._terms.zone)

    async def _stats(self, version: int, key: str) -> web.Response:
        found = self._find(key)
        if found is None:
            return _unknown(version, "container stats", key)
        record, name = found
        try:
            return web.json_response(await self._measured(record, record.state.container(name).runtime_id))
        except runtime.RuntimeFailure as error:
            _log.debug("container_not_measured", task_id=record.task_id, error_reason=error.reason)
            return web.json_response("failed to get stats", status=500)

    async def _task_stats(self, version: int, key: str) -> web.Response:
        found = self._find(key)
        if found is None:
            return _unknown(version, "task stats", key)
        record = found[0]
        asked = [state.runtime_id for _, state in record.state.shown if state.runtime_id]
        # At once: the engine lets each wait for its next look at the container.
        answers = await asyncio.gather(*(self._or_nothing(record, runtime_id) for runtime_id in asked))
        return web.json_response(dict(zip(asked, answers, strict=True)))

    async def _measured(self, record: task_record.TaskRecord, runtime_id: str) -> Mapping[str, Any]:
        """Statistics of a container; the network's are those of the task, where that has an address of its own."""
        holder = record.address_holder
        if holder is None:
            return await self._statistics.of(runtime_id)
        own, shared = await asyncio.gather(self._statistics.of(runtime_id), self._statistics.of(holder))
        return {**own, **{name: shared[name] for name in engine_statistics.OF_THE_NETWORK if name in shared}}

    async def _or_nothing(self, record: task_record.TaskRecord, runtime_id: str) -> Mapping[str, Any] | None:
        """Statistics; None for a container that has none any more, as ECS answers it."""
        try:
            return await self._measured(record, runtime_id)
        except runtime.RuntimeFailure:
            return None

    # ---------------------------------------------------------------- what needs AWS

    async def _credentials(self, _: web.Request) -> web.Response:
        answer = {
            "code": "InvalidIdInRequest",
            "message": f"CredentialsRequest: ID not found; {NOT_SERVED}: tasks have no roles here",
            "HTTPErrorCode": 400,
        }
        return web.json_response(answer, status=400)

    async def _protection(self, request: web.Request) -> web.Response:
        found = self._find(request.match_info["id"])
        if found is None:
            fault = {"Code": "ResourceNotFoundException", "Message": "Failed to find a task for the request"}
            return web.json_response({"error": fault}, status=404)
        fault = {
            "Arn": container_names.task_arn(self._host.owner, found[0].names),
            "Code": "UnsupportedFeatureException",
            "Message": f"{NOT_SERVED}; UpdateTaskProtection is an operation of the ECS API",
        }
        return web.json_response({"error": fault}, status=400)

    async def _fault(self, request: web.Request) -> web.Response:
        found = self._find(request.match_info["id"])
        if found is None:
            text = f"unable to lookup container: {request.match_info['id']}"
            return web.json_response({"Error": text}, status=404)
        arn = container_names.task_arn(self._host.owner, found[0].names)
        return web.json_response({"Error": f"enableFaultInjection is not enabled for task: {arn}"}, status=400)


def _versioned(
    answer: Callable[[int, str], Awaitable[web.Response]], version: int
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return await answer(version, request.match_info["id"])

    return handle


def _unknown(version: int, what: str, key: str) -> web.Response:
    """ECS's words for an id that nobody has: a JSON string."""
    wanted, found = ("task arn", "task Arn") if what.startswith("task") else ("container ID", "docker ID")
    text = (
        f"V{version} {what} handler: unable to get {wanted} from request: "
        f"unable to get {found} from v3 endpoint ID: {key}"
    )
    return web.json_response(text, status=_UNKNOWN_STATUS[version])


def _tags_fault(member: str, arn: str, error: TagsRefused) -> dict[str, Any]:
    return {
        "ErrorField": member,
        "ErrorCode": error.code,
        "ErrorMessage": error.message,
        "StatusCode": error.status,
        "ResourceARN": arn,
    }
