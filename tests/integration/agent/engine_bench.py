"""A task engine over a simulated host, for tests of what happens between calls: no Docker, no gRPC, no disk."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from longshore.agent import (
    app,
    cgroups,
    container_names,
    effects,
    engine,
    pausing,
    ports,
    pull_progress,
    pulls,
    runtime,
    stored,
    watching,
)
from longshore.agent.simulated import simulated_runtime, simulated_timing
from longshore.rpc import loops
from longshore.v1 import agent_service_pb2, task_definition_pb2, task_pb2
from tests.integration.agent import definitions

WAIT_S = 10.0
INFO = runtime.EngineInfo("sim", "sim", "1", (1, 41), 2, 4 << 30, "linux", "x86_64", frozenset({"json-file"}))
OWNER = container_names.Owner(
    "i" * 32, "arn:aws:ecs:us-east-1:123456789012:container-instance/default/" + "i" * 32, "home"
)


class FaultyRuntime(simulated_runtime.SimulatedRuntime):
    """A simulated engine whose next calls can be made to fail, before or after they took effect."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.calls: list[str] = []
        self.before: dict[str, list[runtime.RuntimeFailure]] = {}
        self.after: dict[str, list[runtime.RuntimeFailure]] = {}

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create, or fail."""
        self._begin("create")
        found = await super().create(name, body)
        self._end("create")
        return found

    async def start(self, runtime_id: str) -> None:
        """Start, or fail."""
        self._begin("start")
        await super().start(runtime_id)
        self._end("start")

    async def stop(self, runtime_id: str, timeout_s: int | None) -> None:
        """Stop, or fail."""
        self._begin("stop")
        await super().stop(runtime_id, timeout_s)
        self._end("stop")

    async def pull(
        self, image: str, *, patient: bool, on_progress: Callable[[pull_progress.Progress], None] = lambda _: None
    ) -> pulls.CachedImage:
        """Pull, or fail."""
        self._begin("pull")
        return await super().pull(image, patient=patient, on_progress=on_progress)

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        if self.before.get(call):
            raise self.before[call].pop(0)

    def _end(self, call: str) -> None:
        if self.after.get(call):
            raise self.after[call].pop(0)


@dataclass
class Bench:
    """The engine under test."""

    host: engine.TaskEngine
    runtime: FaultyRuntime
    watcher: watching.Watcher
    changed: asyncio.Event
    settled: list[str] = field(default_factory=list)
    revision: int = 0

    async def assign(
        self, *task_ids: str, definition: task_definition_pb2.TaskDefinition | None = None, full: bool = False
    ) -> None:
        """Assign tasks."""
        used = definition or definitions.definition(definitions.container())
        key = f"{used.family}:{used.revision}"
        message = agent_service_pb2.Assignment(base_revision=0 if full else self.revision, revision=self.revision + 1)
        message.definitions.add(key=key, task_definition=used)
        for task_id in task_ids:
            message.tasks.add(task_id=task_id, definition_key=key, cluster="default")
        self.revision = await self.host.apply([message])

    async def end(self, *task_ids: str) -> None:
        """Have tasks stop."""
        message = agent_service_pb2.Assignment(base_revision=self.revision, revision=self.revision + 1)
        for task_id in task_ids:
            message.stops.add(task_id=task_id)
        self.revision = await self.host.apply([message])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; it is looked at after each report that falls due."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def reaches(self, task_id: str, status: task_pb2.TaskStatus.ValueType) -> agent_service_pb2.TaskObservation:
        """Wait for a task's status."""

        def seen() -> bool:
            found = self.host.observe(task_id)
            return found is not None and found.last_status >= status

        await self.until(seen)
        found = self.host.observe(task_id)
        assert found is not None
        return found

    async def running(self, task_id: str) -> agent_service_pb2.TaskObservation:
        """Wait until a task runs."""
        return await self.reaches(task_id, task_pb2.TASK_STATUS_RUNNING)

    async def stopped(self, task_id: str) -> agent_service_pb2.TaskObservation:
        """Wait until a task has stopped."""
        return await self.reaches(task_id, task_pb2.TASK_STATUS_STOPPED)


@asynccontextmanager
async def bench(
    *,
    life: Callable[[Mapping[str, Any]], simulated_runtime.Life] = lambda _: simulated_runtime.Life(),
    images: Mapping[str, pulls.CachedImage] | None = None,
    registry: Mapping[str, pulls.CachedImage] | None = None,
    used: FaultyRuntime | None = None,
    before: stored.Stored | None = None,
    behavior: pulls.Behavior = pulls.Behavior.DEFAULT,
    dynamic: range = range(40_000, 40_200),
    groups: cgroups.Groups | None = None,
) -> AsyncIterator[Bench]:
    """An engine that has adopted what there was and follows its events."""
    changed = asyncio.Event()
    simulated = used or FaultyRuntime(
        info=INFO,
        images={definitions.IMAGE: pulls.CachedImage("sha256:1", "")} if images is None else images,
        registry=registry,
        source=random.Random(1),
        clock=app.now_us,
        timing=simulated_timing.INSTANT,
        life=life,
    )
    async with loops.supervised() as supervisor:
        calls = effects.Effects(supervisor)
        host = engine.TaskEngine(
            container_runtime=simulated,
            store=stored.MemoryStore(),
            calls=calls,
            limits=engine.Limits(max_launches=8, pull_behavior=behavior),
            host_ports=ports.Ports(dynamic=dynamic, probe=lambda *_: True),
            groups=groups,
            pauses=pausing.Pausing(simulated, await simulated.describe()),
            clock=app.now_us,
            on_due=changed.set,
        )
        host.owner = OWNER
        watcher = watching.Watcher(host, calls, random.Random(2))
        made = Bench(host, simulated, watcher, changed)
        host.on_settled = lambda record: made.settled.append(record.task_id)
        stream = await watcher.adopt(before or stored.Stored())
        made.revision = host.revision
        supervisor.start("events", lambda: watcher.follow(stream))
        yield made
        assert supervisor.failure is None
