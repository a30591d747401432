"""A small servicer that does what its test says, on a real server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from longshore.rpc import caller, errors, interception, loops, server, settings
from longshore.v1 import (
    registry_service_pb2,
    registry_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

KINDS: tuple[type[errors.ServiceError], ...] = tuple(sorted(errors.table().values(), key=lambda known: known.__name__))
"""Every error of the table."""


def nothing() -> None:
    """The act of a servicer that has nothing to complain about."""


@dataclass
class Behaviour:
    """What the servicer does next, and what it has seen."""

    act: Callable[[], None] = nothing
    hang: bool = False
    name: str = "one"
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[caller.Caller] = field(default_factory=list)

    def raises(self, error: BaseException) -> None:
        """Fail from now on."""

        def act() -> None:
            raise error

        self.act = act

    async def perform(self) -> None:
        """Note the caller, act, and hang if told to."""
        self.seen.append(caller.current())
        self.act()
        if self.hang:
            self.hanging.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise


class Registry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Has ListClusters and nothing else."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def ListClusters(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the contract
        """Answer with the server's name."""
        await self._behaviour.perform()
        return registry_service_pb2.ListClustersResponse(next_token=self._behaviour.name)


class Tracker(state_tracker_service_pb2_grpc.StateTrackerServiceServicer):
    """Has WatchEvents and nothing else."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - as above
        """Two answers, then what the behaviour says; with the cursor `follow` the stream stays until the server drains."""
        for number in ("1", "2"):
            yield state_tracker_service_pb2.WatchEventsResponse(cursor=number)
        await self._behaviour.perform()
        if request.cursor == "follow":
            await self._behaviour.draining.wait()


def _incomplete(servicer: Any) -> Any:
    """A servicer class that lacks methods, which checkers hold to be abstract: that too is part of what is tested."""
    return servicer


def configuration(*argv: str) -> settings.Component:
    """A component's configuration, on a free port of loopback unless told otherwise."""
    return settings.parse(settings.Component, argv or ("--listen", "127.0.0.1:0"), {})


@contextlib.asynccontextmanager
async def running(
    behaviour: Behaviour,
    *argv: str,
    supervisor: loops.Supervisor | None = None,
    more: tuple[server.Registration, ...] = (),
    grace_s: float = 5.0,
    observe: interception.Observe | None = None,
    standing: server.Standing = MappingProxyType({}),
) -> AsyncIterator[server.Serving]:
    """The small servicer on a real server."""
    registrations = (
        server.servicer(
            registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, _incomplete(Registry)(behaviour)
        ),
        server.servicer(
            state_tracker_service_pb2_grpc.add_StateTrackerServiceServicer_to_server, _incomplete(Tracker)(behaviour)
        ),
        *more,
    )
    async with server.serving(
        configuration(*argv),
        registrations,
        supervisor=supervisor,
        draining=behaviour.draining,
        grace_s=grace_s,
        observe=observe,
        standing=standing,
    ) as serving:
        yield serving


def registry(channel: Any) -> Any:
    """A stub, as Any: its type is known to checkers alone, and some of these tests misuse it on purpose."""
    return registry_service_pb2_grpc.RegistryServiceStub(channel)


def tracker(channel: Any) -> Any:
    """A stub of the streaming service."""
    return state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)


def ask() -> registry_service_pb2.ListClustersRequest:
    """A request that the small servicer answers."""
    return registry_service_pb2.ListClustersRequest()


def watch(cursor: str = "") -> state_tracker_service_pb2.WatchEventsRequest:
    """A request for the stream."""
    return state_tracker_service_pb2.WatchEventsRequest(cursor=cursor)
