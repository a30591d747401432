"""The client: one connection to each component, typed calls, retries under one client token, and a watch that resumes.

async with client.Client() as longshore:
    answer = await longshore.call(longshore.registry.DescribeClusters, DescribeClustersRequest())
"""

import contextlib
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import grpc.aio
from google.protobuf.message import Message

from longshore.client import addresses as resolving
from longshore.client import retrying
from longshore.rpc import backoff, channels, errors, tls
from longshore.v1 import (
    event_pb2,
    registry_service_pb2_grpc,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

DEADLINE_S = 30.0
"""Overall deadline of a call, repetitions included: well above a change of leader, well below a person's patience."""

NOT_REPEATED = frozenset({"/longshore.v1.SchedulerService/StartTask"})
"""Calls that act again when repeated and take no client token: ECS's StartTask has none."""


class Unary(Protocol[Q, R]):
    """A call of a stub: `client.registry.DescribeClusters` and the like."""

    def __call__(self, request: Q, *, timeout: float | None = None) -> grpc.aio.UnaryUnaryCall[Q, R]:
        """Send the request."""


class Client:
    """A client of one Longshore. Use it as an asynchronous context manager; calls may run concurrently."""

    registry: "registry_service_pb2_grpc.RegistryServiceAsyncStub"
    scheduler: "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"
    state_tracker: "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub"

    def __init__(
        self,
        server: str | None = None,
        *,
        addresses: resolving.Addresses | None = None,
        files: tls.Files | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`server` is a host with the default ports; `addresses` names each component; neither: the LONGSHORE_* variables.

        `files` are for TLS, the LONGSHORE_TLS_* variables where left out.
        """
        self.addresses = addresses or resolving.resolve(server)
        self._files = files or resolving.tls_files()
        self._deadline_s = deadline_s
        self._random = random.Random()  # noqa: S311 - jitter
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the channels. Nothing is sent yet: a component that is away shows at the first call."""
        registry, scheduler, tracker = [
            await self._stack.enter_async_context(channels.connect(replicas, files=self._files))
            for replicas in (self.addresses.registry, self.addresses.scheduler, self.addresses.state_tracker)
        ]
        self.registry = registry_service_pb2_grpc.RegistryServiceStub(registry)
        self.scheduler = scheduler_service_pb2_grpc.SchedulerServiceStub(scheduler)
        self.state_tracker = state_tracker_service_pb2_grpc.StateTrackerServiceStub(tracker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channels; calls under way are cancelled."""
        await self._stack.aclose()

    async def call(self, method: Unary[Q, R], request: Q, *, deadline_s: float | None = None) -> R:
        """Call, and repeat while the answer is UNAVAILABLE. Raises a ServiceError named as ECS names it."""
        name = getattr(method, "path", "")
        tokened = retrying.with_token(request, lambda: uuid.uuid4().hex)

        async def attempt(left_s: float) -> R:
            return await method(tokened, timeout=left_s)

        limit = deadline_s or self._deadline_s
        if name in NOT_REPEATED:
            return await attempt(limit)
        return await retrying.until(limit, attempt, source=self._random)

    async def pages(self, method: Unary[Q, R], request: Q) -> AsyncIterator[R]:
        """Every page of a list operation, until there is no next one."""
        asked = type(request)()
        asked.CopyFrom(request)
        while True:
            page = await self.call(method, asked)
            yield page
            token = getattr(page, "next_token", "")
            if not token:
                return
            asked.next_token = token  # type: ignore[attr-defined]  # every list request has it

    async def watch(
        self,
        *,
        cluster: str = "",
        cursor: str = "",
        tasks: Sequence[str] = (),
        container_instances: Sequence[str] = (),
        family: str = "",
    ) -> AsyncGenerator["Batch", None]:
        """Batches of events from a cursor on, in commit order, none missing and none twice, whatever connection is lost.

        The first batch comes at once and is empty where nothing has happened yet. Without a cursor the watch starts now.
        Raises errors.OutOfRange when the cursor's events were pruned.
        """
        filters: dict[str, Any] = {"tasks": tasks, "container_instances": container_instances}
        filters |= {name: value for name, value in (("cluster", cluster), ("family", family)) if value}
        request = state_tracker_service_pb2.WatchEventsRequest(**filters)
        pauses = backoff.Backoff(first=retrying.FIRST_PAUSE_S, cap=retrying.LONGEST_PAUSE_S, source=self._random)
        while True:
            if cursor:
                request.cursor = cursor
            try:
                async for response in self.state_tracker.WatchEvents(request):
                    pauses.reset()
                    cursor = response.cursor
                    yield Batch(cursor, tuple(response.events))
            except errors.Unavailable:
                pass
            await pauses.sleep()


class Batch:
    """Events that came together, and the cursor after them."""

    __slots__ = ("cursor", "events")

    def __init__(self, cursor: str, events: tuple[event_pb2.Event, ...]) -> None:
        """Made by Client.watch."""
        self.cursor = cursor
        self.events = events
