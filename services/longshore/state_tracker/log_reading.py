"""ReadLogs: from the task's host where it can be asked, through whichever tracker holds its session; else from the last lines."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal

from longshore.rpc import errors, log_cursor
from longshore.state_tracker import forwarding, held, host_streams, log_tails, scope, task_queries
from longshore.storage import definitions, steps, tasks
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import agent_service_pb2, log_pb2, state_tracker_service_pb2, task_definition_pb2, task_pb2
from longshore.views import times

Request = state_tracker_service_pb2.ReadLogsRequest
_TIMES: tuple[Literal["since", "until"], ...] = ("since", "until")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request about a task that exists, its containers named."""

    request: Request
    cluster: str
    halves: tasks.Halves
    containers: tuple[str, ...]
    tails: dict[str, log_pb2.LogTail]

    @property
    def task_id(self) -> str:
        return self.halves.intent.task_id

    @property
    def stopped(self) -> bool:
        """Whether nothing more will be written."""
        seen = self.halves.observation
        return seen is not None and seen.last_status >= task_pb2.TASK_STATUS_STOPPED


class LogReading:
    """Serves readers."""

    def __init__(
        self,
        database: Database,
        *,
        scopes: scope.Scopes,
        holding: held.Held,
        streams: host_streams.HostStreams,
        forwarder: forwarding.Forwarder,
        tracker_id: str,
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._held = holding
        self._streams = streams
        self._forwarder = forwarder
        self._tracker_id = tracker_id
        self._bodies = definitions.Bodies()

    async def read(self, request: Request, *, forwarded: bool) -> AsyncGenerator[bytes, None]:
        """Serialised answers. `forwarded`: another tracker passed the call on, because the session is held here."""
        asked = await self._asked(request)
        live = self._held.get(asked.cluster, asked.halves.intent.instance_id)
        if live is not None and not live.session.ended:
            source = self._from_host(live, asked)
        else:
            source = await self._from_elsewhere(asked, forwarded=forwarded)
        async with contextlib.aclosing(source) as answers:
            async for answer in answers:
                yield answer

    async def _asked(self, request: Request) -> _Asked:
        cluster = self._scopes.cluster(request.cluster)
        if not request.task:
            raise errors.InvalidParameterException("task cannot be empty.")
        task_id = self._scopes.task(request.task, cluster)
        if request.tail < 0:
            raise errors.InvalidParameterException(f"tail is {request.tail}: it must be 0 or more.")
        for name in _TIMES:
            if request.HasField(name) and not times.writable(getattr(request, name)):
                raise errors.InvalidParameterException(f"{name} is no time between the years 1 and 9999.")
        log_cursor.decode(request.cursor)
        halves, tails = await self._database.read(lambda dialect: _found(dialect, cluster, task_id))
        if halves is None:
            raise errors.ResourceNotFoundException(f"There is no task {task_id} in cluster {cluster}.")
        key = task_queries.key_of(halves)
        body = (await self._bodies.load(self._database, {key})).get(key)
        return _Asked(request, cluster, halves, _containers(request, body, task_id), tails)

    async def _from_host(self, live: held.Live, asked: _Asked) -> AsyncGenerator[bytes, None]:
        async with self._streams.open(live, agent_service_pb2.StreamOrder(logs=_source(asked))) as stream:
            async with contextlib.aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
            end = stream.end
        if end.reason:
            raise errors.of_reason(end.reason, end.message) or errors.ServerException(end.message)
        if end.gone:
            yield _kept(asked, end.gone)

    async def _from_elsewhere(self, asked: _Asked, *, forwarded: bool) -> AsyncGenerator[bytes, None]:
        instance_id = asked.halves.intent.instance_id
        holder = await forwarding.holder_of(self._database, instance_id)
        if holder is not None and holder.tracker_id != self._tracker_id and not forwarded:
            return self._forwarder.stream(holder.address, "ReadLogs", asked.request)
        if asked.stopped and holder is None:
            return _once(_kept(asked, asked.containers))
        raise errors.Unavailable(
            f"No agent is connected for container instance {instance_id}, on which task {asked.task_id} is; try again."
        )


def _found(
    dialect: Dialect, cluster: str, task_id: str
) -> steps.Step[tuple[tasks.Halves | None, dict[str, log_pb2.LogTail]]]:
    yield from scope.found(cluster)
    found = yield from tasks.by_ids(dialect, cluster, [task_id])
    return found.get(task_id), (yield from log_tails.of_task(task_id))


def _containers(request: Request, body: task_definition_pb2.TaskDefinition | None, task_id: str) -> tuple[str, ...]:
    """The containers asked for, in the definition's order. Raises ClientException for one that the task does not have."""
    known = tuple(container.name for container in body.container_definitions) if body is not None else ()
    strangers = [name for name in request.containers if name not in known]
    if strangers:
        raise errors.ClientException(
            f"Task {task_id} has no container {', '.join(strangers)}; it has {', '.join(known) or 'none'}."
        )
    return tuple(name for name in known if name in request.containers) if request.containers else known


def _source(asked: _Asked) -> agent_service_pb2.LogSource:
    request = asked.request
    source = agent_service_pb2.LogSource(
        task_id=asked.task_id,
        containers=asked.containers,
        # Of a task that has stopped everything is there, or gone: nothing is worth waiting for.
        follow=request.follow and not asked.stopped,
        timestamps=request.timestamps,
        cursor=request.cursor,
    )
    for field in _TIMES:
        if request.HasField(field):
            getattr(source, field).CopyFrom(getattr(request, field))
    if request.HasField("tail"):
        source.tail = request.tail
    return source


def _kept(asked: _Asked, containers: Any) -> bytes:
    """What is kept of the containers."""
    tails = [asked.tails[name] for name in containers if name in asked.tails]
    return log_tails.answer(tails, asked.request).SerializeToString()


async def _once(answer: bytes) -> AsyncGenerator[bytes, None]:
    yield answer
