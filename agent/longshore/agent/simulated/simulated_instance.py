"""One simulated container instance: the agent's own engine, watcher, clean-up, registration and sessions, over a simulated runtime.

Of the agent's parts those are left out that speak with the host itself: introspection, task metadata, statistics, last lines, control
groups, the clean-up of images. What the state file would hold is kept in memory, for a host that comes back.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from longshore.agent import (
    cleanup,
    container_names,
    effects,
    engine,
    observations,
    pausing,
    ports,
    pulls,
    registration,
    resources,
    runtime,
    session,
    speaking,
    states,
    stored,
    streams,
    watching,
)
from longshore.agent.images import disk
from longshore.agent.simulated import (
    simulated_journal,
    simulated_line,
    simulated_runtime,
    simulated_sizes,
    simulated_timing,
)
from longshore.rpc import loops, sizes, tls
from longshore.v1 import (
    agent_service_pb2_grpc,
    registry_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

_MICROSECONDS = 1_000_000
_MEBIBYTE = 1024 * 1024
_ID_BITS = 128
_DYNAMIC_PORTS = range(32768, 61000)
DEREGISTRATION_TIMEOUT_S = 30.0
"""Of an instance with thousands of tasks, while thousands of others are deregistered."""


class Tally:
    """What the hosts of a fleet do, all together."""

    def __init__(self) -> None:
        self.tasks: dict[states.TaskPhase, int] = dict.fromkeys(states.TaskPhase, 0)
        self.started = 0
        """Tasks that have come to run, since the beginning."""

    def moved(self, before: states.TaskPhase | None, after: states.TaskPhase | None) -> None:
        """A task of some host went from one phase to another."""
        if before is not None:
            self.tasks[before] -= 1
        if after is not None:
            self.tasks[after] += 1
            self.started += after is states.TaskPhase.RUNNING


@dataclass(frozen=True, slots=True)
class Stubs:
    """What a host speaks with, over its connection."""

    trackers: "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub"
    agents: "agent_service_pb2_grpc.AgentServiceAsyncStub"
    registries: "registry_service_pb2_grpc.RegistryServiceAsyncStub"


@dataclass(frozen=True, slots=True)
class Terms:
    """What all hosts of a fleet have in common."""

    cluster: str
    version: str
    limits: engine.Limits
    timing: simulated_timing.Timing
    life: Callable[[Mapping[str, Any]], simulated_runtime.Life]
    images: Mapping[str, pulls.CachedImage]
    attributes: Mapping[str, str]
    wheel: simulated_timing.Wheel
    tally: Tally
    admission: asyncio.Semaphore
    """How many may be registering at the same time."""
    files: tls.Files
    news: Callable[[str], simulated_journal.News] = lambda _: simulated_journal.unheard
    """Whom the engine of a host, given by its name, tells what its containers do."""


class Instance:
    """A host that can be switched on and off."""

    def __init__(
        self, name: str, size: simulated_sizes.Size, stubs: Stubs, terms: Terms, source: random.Random
    ) -> None:
        self.name = name
        self.identity: stored.Identity | None = None
        self.clock_offset_s = 0.0
        self.line = simulated_line.Line(stubs.agents)
        self.runtime = simulated_runtime.SimulatedRuntime(
            info=_engine_info(name, size),
            images={},
            registry=terms.images,
            source=source,
            clock=self._now_us,
            timing=terms.timing,
            life=terms.life,
            wheel=terms.wheel,
            news=terms.news(name),
        )
        self._size = size
        self._stubs = stubs
        self._terms = terms
        self._source = source
        self._written = stored.Stored()
        self._stack: AsyncExitStack | None = None
        self._supervisor: loops.Supervisor | None = None
        self._host: engine.TaskEngine | None = None
        self._sessions: session.Sessions | None = None
        self._speaking: asyncio.Task[Any] | None = None

    @property
    def connected(self) -> bool:
        """Whether it holds a session."""
        return self._sessions is not None and self._sessions.connected

    @property
    def failure(self) -> loops.LoopFailedError | None:
        """Why its agent has died, where it has."""
        return self._supervisor.failure if self._supervisor is not None else None

    async def switch_on(self) -> None:
        """Start its agent, which goes on from what it had written down."""
        stack = self._stack = AsyncExitStack()
        supervisor = await stack.enter_async_context(loops.supervised())
        calls = effects.Effects(supervisor)
        due = asyncio.Event()
        info = await self.runtime.describe()
        store = stored.MemoryStore()
        host = engine.TaskEngine(
            container_runtime=self.runtime,
            store=store,
            calls=calls,
            limits=self._terms.limits,
            host_ports=ports.Ports(dynamic=_DYNAMIC_PORTS, probe=lambda _port, _protocol, _address: True),
            pauses=pausing.Pausing(self.runtime, info),
            groups=simulated_runtime.SimulatedGroups(),
            clock=self._now_us,
            on_due=due.set,
        )
        host.on_phase = self._terms.tally.moved
        host.owner = self._owner()
        remover = cleanup.Cleanup(host, disk.Gauge((), disk.NEVER))
        host.on_settled = remover.schedule
        watcher = watching.Watcher(host, calls, self._source)
        stream: AsyncIterator[runtime.RuntimeEvent] = await watcher.adopt(self._written)
        supervisor.start("engine events", lambda: watcher.follow(stream))
        supervisor.start("cleanup", remover.run)
        offered = self._offer(info, await host.pausing.prepare())
        registrar = registration.Registrar(tracker=self._stubs.trackers, registry=self._stubs.registries, host=offered)
        self._sessions = session.Sessions(
            stub=self.line,
            host=host,
            due=due,
            process_id=f"{self._source.getrandbits(_ID_BITS):032x}",
            agent_version=self._terms.version,
            source=self._source,
            opened=streams.Streams(host=host, calls=calls, files=self._terms.files),
        )
        self._supervisor, self._host = supervisor, host
        self._registrar = registrar
        self._store = store
        self._speak()

    def _speak(self) -> None:
        supervisor, host, sessions = self._supervisor, self._host, self._sessions
        if supervisor is None or host is None or sessions is None:
            return
        self._speaking = supervisor.start(
            "sessions",
            lambda: speaking.speak(host, self._store, self._register, sessions, self.identity, None, self._tell),
        )

    async def break_line(self) -> None:
        """Its connection breaks, and its agent dials again."""
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
            self._speak()

    async def switch_off(self) -> None:
        """It goes down, with its containers; its agent has written down what it knew."""
        host, stack = self._host, self._stack
        if stack is None:
            return
        self._stack, self._supervisor, self._host, self._sessions, self._speaking = None, None, None, None, None
        await stack.aclose()
        if host is None:
            return  # it was just coming up
        self._written = self._remembered(host)
        for record in host.tasks.values():
            self._terms.tally.moved(record.state.phase, None)
        self.runtime.lose_power()

    async def deregister(self) -> None:
        """Leave the cluster: what it ran is released with it. Raises ServiceError."""
        if self.identity is None:
            return
        request = state_tracker_service_pb2.DeregisterContainerInstanceRequest(
            cluster=self.identity.cluster, container_instance=self.identity.instance_id, force=True
        )
        await self._stubs.trackers.DeregisterContainerInstance(request, timeout=DEREGISTRATION_TIMEOUT_S)
        self.identity = None

    # ---------------------------------------------------------------- parts

    async def _register(self, identity: stored.Identity | None) -> stored.Identity:
        async with self._terms.admission:
            return await self._registrar.register(identity)

    def _tell(self, identity: stored.Identity | None) -> None:
        self.identity = identity
        if identity is not None and self._host is not None:
            self._host.owner = self._owner()

    def _owner(self) -> container_names.Owner:
        if self.identity is None:
            return container_names.Owner("", "", self.name)
        return container_names.Owner(self.identity.instance_id, self.identity.instance_arn, self.name)

    def _now_us(self) -> int:
        return time.time_ns() // 1000 + int(self.clock_offset_s * _MICROSECONDS)

    def _offer(self, info: runtime.EngineInfo, shared: pausing.Offered) -> registration.Host:
        total = resources.total_resources(info)
        for resource in total:
            if resource.name == "CPU":
                resource.integer_value = self._size.cpu  # a simulated host need not have whole cores
        return registration.Host(
            cluster=self._terms.cluster,
            total_resources=total,
            attributes=resources.attributes(info, limits_tasks=True, shared=shared),
            version_info=resources.version_info(info, self._terms.version),
            first_attributes={**self._terms.attributes, **self._size.attributes},
        )

    def _remembered(self, host: engine.TaskEngine) -> stored.Stored:
        """What the state file of this agent would hold."""
        return stored.Stored(
            identity=self.identity,
            revision=host.revision,
            lineage=host.lineage,
            recorded_report=host.reports.recorded,
            definitions={
                record.assigned.definition_key: record.definition.message
                for record in host.tasks.values()
                if record.assigned.definition_key
            },
            tasks=tuple(_stored_tasks(host)),
            images=tuple(host.images.images.values()),
        )


def _stored_tasks(host: engine.TaskEngine) -> Iterator[stored.StoredTask]:
    for record in host.tasks.values():
        yield stored.StoredTask(
            assigned=record.assigned,
            observation=observations.to_keep(record.state),
            stopping=record.state.stop_cause is not None,
            acknowledged=record.acknowledged,
            stopped_at=record.state.stopped_at,
        )


def _engine_info(name: str, size: simulated_sizes.Size) -> runtime.EngineInfo:
    return runtime.EngineInfo(
        engine_id=name,
        name=name,
        version="simulated",
        api_version=(1, 44),
        cpus=max(1, size.cpu // sizes.UNITS_PER_CPU),
        memory_bytes=size.memory * _MEBIBYTE,
        os_type="linux",
        architecture="x86_64",
        logging_drivers=frozenset({"json-file", "journald", "syslog", "awslogs"}),
    )
