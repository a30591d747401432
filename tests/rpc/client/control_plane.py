"""A control plane of scripted answers behind real gRPC servers, to hold the public client to its promises."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import grpc.aio

from longshore.client import addresses
from longshore.client import client as clients
from longshore.rpc import server, settings
from longshore.v1 import (
    common_pb2,
    event_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
    task_pb2,
)

TASK = "f" * 32
Watch = state_tracker_service_pb2.WatchEventsRequest


@dataclass(slots=True)
class Script:
    """What the servers do next, and what they were asked."""

    failures: list[Exception] = field(default_factory=list)
    """Raised by the next unary calls, one each."""
    unary: list[object] = field(default_factory=list)
    """Requests of unary calls, in order."""
    log: list[event_pb2.Event] = field(default_factory=list)
    """The cluster's events; a cursor is the number of those that were read."""
    cut_after: list[int] = field(default_factory=list)
    """Events after which the next watches are cut, one each."""
    cut_with: list[Exception] = field(default_factory=list)
    """What the next watches are refused with, one each."""
    watches: list[Watch] = field(default_factory=list)
    described: task_pb2.Task | None = None
    stopped: task_pb2.Task | None = None
    """What StopTask answers; it hangs where there is none."""
    clusters: Sequence[str] = ()
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the log has grown."""

    def take(self, request: object) -> None:
        """Note a unary request, and fail it where the script says so."""
        self.unary.append(request)
        if self.failures:
            raise self.failures.pop(0)


def task_event(sequence: int, status: "task_pb2.TaskStatus.ValueType") -> event_pb2.Event:
    """An event of the one task."""
    return event_pb2.Event(
        sequence=sequence, task=event_pb2.TaskEvent(task_id=TASK, version=sequence, last_status=status)
    )


class Registry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Lists clusters, one a page."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def ListClusters(  # noqa: N802 - the RPC's name
        self, request: registry_service_pb2.ListClustersRequest, context: object
    ) -> registry_service_pb2.ListClustersResponse:
        self._script.take(request)
        at = int(request.next_token or 0)
        rest = len(self._script.clusters) > at + 1
        return registry_service_pb2.ListClustersResponse(
            cluster_arns=self._script.clusters[at : at + 1], next_token=str(at + 1) if rest else None
        )


class Scheduler(scheduler_service_pb2_grpc.SchedulerServiceServicer):
    """Answers without placing anything."""

    def __init__(self, script: Script, name: str = "") -> None:
        self._script = script
        self._name = name

    async def RunTask(  # noqa: N802 - the RPC's name
        self, request: scheduler_service_pb2.RunTaskRequest, context: object
    ) -> scheduler_service_pb2.RunTaskResponse:
        self._script.take(request)
        return scheduler_service_pb2.RunTaskResponse(cursor=self._name or "0")

    async def StartTask(  # noqa: N802 - the RPC's name
        self, request: scheduler_service_pb2.StartTaskRequest, context: object
    ) -> scheduler_service_pb2.StartTaskResponse:
        self._script.take(request)
        return scheduler_service_pb2.StartTaskResponse()

    async def StopTask(  # noqa: N802 - the RPC's name
        self, request: scheduler_service_pb2.StopTaskRequest, context: object
    ) -> scheduler_service_pb2.StopTaskResponse:
        self._script.take(request)
        if self._script.stopped is None:
            await asyncio.Event().wait()
        return scheduler_service_pb2.StopTaskResponse(task=self._script.stopped)

    async def DescribeLeaders(  # noqa: N802 - the RPC's name
        self, request: scheduler_service_pb2.DescribeLeadersRequest, context: object
    ) -> scheduler_service_pb2.DescribeLeadersResponse:
        return scheduler_service_pb2.DescribeLeadersResponse()


class Tracker(state_tracker_service_pb2_grpc.StateTrackerServiceServicer):
    """Tells the log, an event a batch, and cuts watches as the script says."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def DescribeTasks(  # noqa: N802 - the RPC's name
        self, request: state_tracker_service_pb2.DescribeTasksRequest, context: object
    ) -> state_tracker_service_pb2.DescribeTasksResponse:
        self._script.take(request)
        if self._script.described is None:
            missing = [common_pb2.Failure(arn=task, reason="MISSING") for task in request.tasks]
            return state_tracker_service_pb2.DescribeTasksResponse(failures=missing)
        return state_tracker_service_pb2.DescribeTasksResponse(tasks=[self._script.described])

    async def WatchEvents(  # noqa: N802 - the RPC's name
        self, request: Watch, context: "grpc.aio.ServicerContext[object, object]"
    ) -> AsyncIterator[state_tracker_service_pb2.WatchEventsResponse]:
        script = self._script
        script.watches.append(request)
        if script.cut_with:
            raise script.cut_with.pop(0)
        at = int(request.cursor) if request.cursor else len(script.log)
        left = script.cut_after.pop(0) if script.cut_after else None
        yield state_tracker_service_pb2.WatchEventsResponse(cursor=str(at))
        while True:
            script.more.clear()
            while at < len(script.log):
                if left is not None:
                    if not left:
                        await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
                    left -= 1
                yield state_tracker_service_pb2.WatchEventsResponse(cursor=str(at + 1), events=[script.log[at]])
                at += 1
            await script.more.wait()


@contextlib.asynccontextmanager
async def serving(script: Script, *, schedulers: int = 1) -> AsyncIterator[addresses.Addresses]:
    """Real servers over one script; the schedulers answer with their number as cursor."""
    config = settings.Component(listen="127.0.0.1:0")
    async with contextlib.AsyncExitStack() as stack:

        async def serve(registration: server.Registration) -> str:
            # No grace: a watch that a test leaves open must not hold up its end.
            running = await stack.enter_async_context(server.serving(config, (registration,), grace_s=0.0))
            return running.address

        # What is not scripted answers UNIMPLEMENTED.
        clusters = Registry(script)  # type: ignore[abstract]
        names = [str(number) if schedulers > 1 else "" for number in range(schedulers)]
        deciders = [Scheduler(script, name) for name in names]  # type: ignore[abstract]
        observer = Tracker(script)  # type: ignore[abstract]
        add = server.servicer
        registry = await serve(add(registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, clusters))
        add_scheduler = scheduler_service_pb2_grpc.add_SchedulerServiceServicer_to_server
        schedulers_at = [await serve(add(add_scheduler, decider)) for decider in deciders]
        add_tracker = state_tracker_service_pb2_grpc.add_StateTrackerServiceServicer_to_server
        tracker = await serve(add(add_tracker, observer))
        yield addresses.Addresses((registry,), tuple(schedulers_at), (tracker,))


@contextlib.asynccontextmanager
async def connected(script: Script, *, deadline_s: float = 5.0) -> AsyncIterator[clients.Client]:
    """A client of the scripted control plane."""
    async with serving(script) as at, clients.Client(addresses=at, deadline_s=deadline_s) as client:
        yield client
