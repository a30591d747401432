"""A fleet of simulated container instances in one process: brought up, made to fail by a script, counted, taken away."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc.aio
import structlog

from longshore.agent import pulls, states
from longshore.agent.simulated import simulated_failures, simulated_instance, simulated_sizes
from longshore.rpc import channels, errors, loops, tls
from longshore.v1 import agent_service_pb2_grpc, registry_service_pb2_grpc, state_tracker_service_pb2_grpc

_log = structlog.get_logger(__name__)

_LEAVING_AT_ONCE = 32
"""Deregistrations at the same time."""
_DEREGISTRATION_TRIES = 3
_RETRY_S = 1.0


class AnyImage(Mapping[str, pulls.CachedImage]):
    """A registry that has every image."""

    def __getitem__(self, name: str) -> pulls.CachedImage:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return pulls.CachedImage(f"sha256:{digest}", f"sha256:{digest[::-1]}")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Line:
    """Where the control plane is, and over how many connections it is reached; zero: one for each host."""

    trackers: tuple[str, ...]
    registries: tuple[str, ...]
    files: tls.Files
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How a fleet is doing at one moment."""

    instances: int
    registered: int
    sessions: int
    failing: int
    """Hosts to which something of the script is happening."""
    pending: int
    running: int
    stopped: int
    started: int
    """Tasks that have come to run, since the beginning."""


class Fleet:
    """The hosts, by their numbers."""

    def __init__(
        self,
        sizes: Sequence[simulated_sizes.Size],
        terms: simulated_instance.Terms,
        line: Line,
        *,
        seed: int,
        prefix: str,
    ) -> None:
        self.instances: list[simulated_instance.Instance] = []
        self._sizes = sizes
        self._terms = terms
        self._line = line
        self._source = random.Random(seed)  # noqa: S311 - chance, no secret
        self._seed = seed
        self._prefix = prefix
        self._failing: set[int] = set()
        self._happening: dict[simulated_failures.Kind, Callable[..., Awaitable[None]]] = {
            simulated_failures.Kind.CRASH: self._crash,
            simulated_failures.Kind.SLOW: self._slow,
            simulated_failures.Kind.FLAP: self._flap,
            simulated_failures.Kind.WRONG_CLOCK: self._wrong_clock,
            simulated_failures.Kind.SILENT: self._silent,
        }

    async def come_up(self, stack: AsyncExitStack) -> None:
        """Switch all hosts on, one after the other; they register by themselves."""
        shared: list[simulated_instance.Stubs] = []
        for number, size in enumerate(self._sizes):
            if self._line.connections and number >= self._line.connections:
                stubs = shared[number % self._line.connections]
            else:
                stubs = await self._connected(stack)
                shared.append(stubs)
            source = random.Random(f"{self._seed} {number}")  # noqa: S311 - chance, no secret
            instance = simulated_instance.Instance(f"{self._prefix}{number:05d}", size, stubs, self._terms, source)
            self.instances.append(instance)
            await instance.switch_on()

    async def _connected(self, stack: AsyncExitStack) -> simulated_instance.Stubs:
        trackers = await self._channel(stack, self._line.trackers)
        # Asked once at most, to make the cluster `default`: nothing is dialled before that.
        registries = await self._channel(stack, self._line.registries)
        return simulated_instance.Stubs(
            trackers=state_tracker_service_pb2_grpc.StateTrackerServiceStub(trackers),
            agents=agent_service_pb2_grpc.AgentServiceStub(trackers),
            registries=registry_service_pb2_grpc.RegistryServiceStub(registries),
        )

    async def _channel(self, stack: AsyncExitStack, addresses: tuple[str, ...]) -> grpc.aio.Channel:
        return await stack.enter_async_context(
            channels.connect(addresses, files=self._line.files, shuffle=self._source)
        )

    def count(self) -> Count:
        """How it is doing. Raises what an agent has died of."""
        registered = sessions = 0
        for instance in self.instances:
            if instance.failure is not None:
                raise instance.failure
            registered += instance.identity is not None
            sessions += instance.connected
        tasks = self._terms.tally.tasks
        return Count(
            instances=len(self._sizes),
            registered=registered,
            sessions=sessions,
            failing=len(self._failing),
            pending=tasks[states.TaskPhase.PENDING],
            running=tasks[states.TaskPhase.RUNNING],
            stopped=tasks[states.TaskPhase.STOPPED],
            started=self._terms.tally.started,
        )

    # ---------------------------------------------------------------- failures

    async def fail(self, script: Sequence[simulated_failures.Failure], supervisor: loops.Supervisor) -> None:
        """Let happen what the script says, when it says."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for failure in script:
            await asyncio.sleep(max(0.0, began + failure.at_s - loop.time()))
            able = [number for number in range(len(self.instances)) if number not in self._failing]
            victims = failure.victims(able, self._source)
            _log.warning("failure", kind=failure.kind.value, instances=len(victims), lasts_s=failure.lasts_s)
            self._failing.update(victims)
            for number in victims:
                supervisor.spawn(f"failure of {number}", self._happen(number, failure))

    async def _happen(self, number: int, failure: simulated_failures.Failure) -> None:
        await self._happening[failure.kind](self.instances[number], failure)
        self._failing.discard(number)

    async def _crash(self, instance: simulated_instance.Instance, failure: simulated_failures.Failure) -> None:
        await instance.switch_off()
        await self._last(failure)
        await instance.switch_on()

    async def _slow(self, instance: simulated_instance.Instance, failure: simulated_failures.Failure) -> None:
        instance.runtime.slowness = failure.amount
        await self._last(failure)
        instance.runtime.slowness = 1.0

    async def _flap(self, instance: simulated_instance.Instance, failure: simulated_failures.Failure) -> None:
        left = failure.lasts_s
        while left is None or left > 0:
            await instance.break_line()
            await self._terms.wheel.sleep(failure.amount)
            left = None if left is None else left - failure.amount

    async def _wrong_clock(self, instance: simulated_instance.Instance, failure: simulated_failures.Failure) -> None:
        instance.clock_offset_s = failure.amount
        await self._last(failure)
        instance.clock_offset_s = 0.0

    async def _silent(self, instance: simulated_instance.Instance, failure: simulated_failures.Failure) -> None:
        instance.line.hold()
        await self._last(failure)
        instance.line.release()

    async def _last(self, failure: simulated_failures.Failure) -> None:
        """Let it last as long as it does; for ever, where it has no end."""
        if failure.lasts_s is None:
            await asyncio.Event().wait()
        else:
            await self._terms.wheel.sleep(failure.lasts_s)

    # ---------------------------------------------------------------- the end

    async def switch_off(self) -> None:
        """Switch all hosts off."""
        for instance in self.instances:
            await instance.switch_off()

    async def deregister(self) -> list[str]:
        """Take all hosts out of the cluster; gives one sentence for each that could not be."""
        slots = asyncio.Semaphore(_LEAVING_AT_ONCE)
        faults: list[str] = []

        async def leave(instance: simulated_instance.Instance) -> None:
            async with slots:
                for attempt in range(1, _DEREGISTRATION_TRIES + 1):
                    try:
                        await instance.deregister()
                    except errors.ServiceError as error:
                        if error.code is errors.Code.NOT_FOUND:
                            return
                        if attempt == _DEREGISTRATION_TRIES:
                            faults.append(f"{instance.name}: {error.reason}: {error.message}")
                        await asyncio.sleep(_RETRY_S)
                    else:
                        return

        await asyncio.gather(*map(leave, self.instances))
        return faults
