"""One connection to each component: typed calls, repetition under one client token, a watch and logs that resume.

`client.Client` is this, with what programs usually want on top.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import grpc.aio
from google.protobuf.message import Message

from longshore.client import addresses as resolving
from longshore.client import context, retrying
from longshore.client import logs as reading
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
Q_contra = TypeVar("Q_contra", bound=Message, contravariant=True)


DEADLINE_S = 30.0
"""Overall deadline of a call, repetitions included: well above a change of leader, well below a person's patience."""

NOT_REPEATED = frozenset({"/longshore.v1.SchedulerService/StartTask"})
"""Calls that start containers anew when repeated, and take no client token: ECS's StartTask has none.

Every other call may be repeated as it is. RegisterTaskDefinition whose answer was lost leaves one more revision behind, as it does
with ECS's own clients.
"""


class Unary(Protocol[Q_contra, R]):
    """A call of a stub: `client.registry.DescribeClusters` and the like."""

    def __call__(
        self, request: Q_contra, *, timeout: float | None = None, metadata: Any = None
    ) -> grpc.aio.UnaryUnaryCall[Any, R]:
        """Send the request."""


NAMED_AT_ONCE = 100
"""Most things that one call describes, ECS's rule."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that came together, and the cursor after them."""

    cursor: str
    events: tuple[event_pb2.Event, ...]


Watching: TypeAlias = AsyncGenerator[Batch, None]
"""What `watch` gives: endless, to be closed by who opened it (`contextlib.aclosing`)."""


def unnoticed(error: errors.Unavailable) -> None:
    """Take no notice of a call that is repeated, or of a watch that was lost."""


class Connection:
    """The connection to one Longshore. Use it as an asynchronous context manager; calls may run concurrently."""

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
        source: random.Random | None = None,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
        on_retry: Callable[[errors.Unavailable], None] = unnoticed,
    ) -> None:
        """Prepare; raises addresses.AddressError for what is none.

        Args:
            server: a host with the default ports. Neither it nor `addresses`: the LONGSHORE_* variables.
            addresses: each component's own.
            files: for TLS; the LONGSHORE_TLS_* variables where left out.
            deadline_s: overall deadline of a call that names none.
            source: of jitter.
            new_token: makes client tokens.
            on_retry: is told each time before a call is repeated.
        """
        self.addresses = addresses or resolving.resolve(server)
        self.files = files if files is not None else resolving.tls_files()
        self.deadline_s = deadline_s
        """Overall deadline of a call that names none."""
        self._random = source or random.Random()  # noqa: S311 - jitter
        self._new_token = new_token
        self._on_retry = on_retry
        self._stack = contextlib.AsyncExitStack()

    def __getattr__(self, name: str) -> Any:
        """Say what is wrong where a stub is looked for that is not there yet."""
        if name in {"registry", "scheduler", "state_tracker"}:
            raise RuntimeError("The client is not open yet: use it as in `async with Client() as longshore:`.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    async def __aenter__(self) -> Self:
        """Open the channels. Nothing is sent yet: a component that is away shows at the first call."""
        async with contextlib.AsyncExitStack() as stack:
            registry, scheduler, tracker = [
                await stack.enter_async_context(channels.connect(replicas, files=self.files, shuffle=self._random))
                for replicas in (self.addresses.registry, self.addresses.scheduler, self.addresses.state_tracker)
            ]
            self._stack = stack.pop_all()
        self.registry = registry_service_pb2_grpc.RegistryServiceStub(registry)
        self.scheduler = scheduler_service_pb2_grpc.SchedulerServiceStub(scheduler)
        self.state_tracker = state_tracker_service_pb2_grpc.StateTrackerServiceStub(tracker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channels; calls under way are cancelled."""
        await self._stack.aclose()

    async def call(
        self, method: Unary[Q, R], request: Q, *, deadline_s: float | None = None, request_id: str = ""
    ) -> R:
        """Call, and repeat while the answer is UNAVAILABLE. Raises a ServiceError named as ECS names it.

        A request that has a client token and names none gets one, the same for each repetition. So does the id of the request, which is
        in the logs of whoever has to do with it, in the events that it causes and in the error that is raised; see `context`.
        """
        asked_as = request_id or context.current_or_new()
        named = context.metadata(asked_as, explicit=bool(request_id))
        limit = self.deadline_s if deadline_s is None else deadline_s
        tokened = retrying.with_token(request, self._new_token)

        async def attempt(left_s: float) -> R:
            return await method(tokened, timeout=left_s, metadata=named)

        try:
            if getattr(method, "path", "") in NOT_REPEATED:
                return await attempt(limit)
            return await retrying.until(limit, attempt, source=self._random, on_retry=self._on_retry)
        except errors.ServiceError as error:
            error.request_id = asked_as
            raise

    async def pages(self, method: Unary[Q, R], request: Q) -> AsyncGenerator[R, None]:
        """Every page of a list operation, until there is no next one."""
        asked: Any = type(request)()
        asked.CopyFrom(request)
        while True:
            page = await self.call(method, asked)
            yield page
            token = getattr(page, "next_token", "")
            if not token:
                return
            asked.next_token = token

    async def whole(
        self, method: Unary[Q, R], request: Q, field: str, items: Sequence[str], *, at_once: int = NAMED_AT_ONCE
    ) -> R:
        """The same call for any number of named things, put together to one answer. `field` takes them, `at_once` to a call."""
        whole: R | None = None
        for start in range(0, len(items), at_once) or (0,):
            asked = type(request)()
            asked.CopyFrom(request)
            getattr(asked, field).extend(items[start : start + at_once])
            answer = await self.call(method, asked)
            if whole is None:
                whole = answer
            else:
                whole.MergeFrom(answer)
        assert whole is not None  # noqa: S101 - there is one call at least
        return whole

    async def watch(
        self,
        *,
        cluster: str = "",
        cursor: str = "",
        tasks: Sequence[str] = (),
        container_instances: Sequence[str] = (),
        family: str = "",
        on_lost: Callable[[errors.Unavailable], None] = unnoticed,
        first_within_s: float | None = None,
    ) -> Watching:
        """Batches of events from a cursor on, in commit order, none missing and none twice, whatever connection is lost.

        The first batch comes at once and is empty where nothing has happened yet. Without a cursor the watch starts now. It goes on
        for ever; each time the connection is lost `on_lost` is told, before it is sought again. Raises errors.OutOfRange when the
        cursor's events were pruned, and Unavailable when the first batch does not come within `first_within_s` seconds.
        """
        request = state_tracker_service_pb2.WatchEventsRequest(tasks=tasks, container_instances=container_instances)
        for name, value in (("cluster", cluster), ("family", family), ("cursor", cursor)):
            if value:
                setattr(request, name, value)
        named = context.metadata(context.current())
        pauses = backoff.Backoff(first=retrying.FIRST_PAUSE_S, cap=retrying.LONGEST_PAUSE_S, source=self._random)
        loop = asyncio.get_running_loop()
        end = None if first_within_s is None else loop.time() + first_within_s
        while True:
            try:
                async with contextlib.aclosing(
                    aiter(self.state_tracker.WatchEvents(request, metadata=named))
                ) as answers:  # type: ignore[type-var]  # a generator, in our channels
                    async for answer in answers:
                        pauses.reset()
                        # Before the batch is handed out: whoever took it has it, however the stream ends.
                        request.cursor = answer.cursor
                        end = None
                        yield Batch(answer.cursor, tuple(answer.events))
            except errors.Unavailable as error:
                if end is not None and loop.time() >= end:
                    raise
                on_lost(error)
            await pauses.sleep()

    async def logs(
        self,
        task: str,
        *,
        cluster: str = "",
        containers: Sequence[str] = (),
        follow: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        timestamps: bool = False,
        cursor: str = "",
        on_lost: Callable[[errors.Unavailable], None] = unnoticed,
    ) -> reading.Reading:
        """What a task's containers wrote, from the first byte or from a cursor on: none missing, none twice, whatever connection is lost.

        Ends by itself: at what there is, or with `follow` once the task has stopped and everything came. Each time the connection is lost
        `on_lost` is told, before it is resumed; without `follow` that is given up when nothing has come for the client's deadline. Raises
        ResourceNotFoundException for an unknown task, ClientException for what cannot be read. To be closed by who opened it.
        """
        request = reading.request(
            task, cluster, containers, follow=follow, since=since, until=until, tail=tail, timestamps=timestamps
        )
        request.cursor = cursor
        loop = asyncio.get_running_loop()
        named = context.metadata(context.current())
        pauses = backoff.Backoff(first=retrying.FIRST_PAUSE_S, cap=retrying.LONGEST_PAUSE_S, source=self._random)
        heard_at = loop.time()
        while True:
            try:
                async with contextlib.aclosing(aiter(self.state_tracker.ReadLogs(request, metadata=named))) as answers:  # type: ignore[type-var]  # a generator, in our channels
                    async for answer in answers:
                        pauses.reset()
                        # Before the output is handed out: whoever took it has it, however the stream ends.
                        request.cursor = answer.cursor
                        yield reading.Output(answer.cursor, tuple(answer.pieces), answer.from_tail, answer.truncated)
                        heard_at = loop.time()
            except errors.Unavailable as error:
                if not follow and loop.time() - heard_at > self.deadline_s:
                    raise
                on_lost(error)
            else:
                return
            await pauses.sleep()
