"""A state-tracker of one instance that speaks the real protocol, and keeps watch that the agent does too."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from longshore.rpc import errors, status
from longshore.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    log_pb2,
    registry_service_pb2,
    state_tracker_service_pb2,
    statistics_pb2,
    task_definition_pb2,
    task_pb2,
)

WAIT_S = 30.0
HEARTBEAT_MS = 500
LEASE_MS = 5_000
CREDENTIAL = "a-credential"

Observation = agent_service_pb2.TaskObservation


class FakeTracker:
    """What a control plane would know and want of one instance. Its memory outlives its server's restarts."""

    def __init__(self) -> None:
        self.instance = 0
        # Unlike any other's on this engine: an agent adopts by the id of its instance what carries it.
        self._mark = secrets.token_hex(12)
        self.registrations: list[state_tracker_service_pb2.RegisterContainerInstanceRequest] = []
        self.hellos: list[agent_service_pb2.Hello] = []
        self.observations: dict[str, Observation] = {}
        self.history: dict[str, list[str]] = {}
        self.log_tails: dict[tuple[str, str], list[log_pb2.LogTail]] = {}
        self.clusters = {"default"}
        self.revision = 0
        self.recorded = 0
        self.acknowledged = 0
        self.heartbeats = 0
        self.violations: list[str] = []
        self.statistics: list[statistics_pb2.InstanceStatistics] = []
        self.deaf = False
        """Take reports without recording or acknowledging them."""
        self.deregistered: set[str] = set()
        self.session_error: tuple[grpc.StatusCode, str] | None = None
        self.lost: set[int] = set()
        """Revisions whose increments are left out."""
        self._log: list[agent_service_pb2.Assignment] = []
        self._tasks: dict[str, agent_service_pb2.AssignedTask] = {}
        self._definitions: dict[str, task_definition_pb2.TaskDefinition] = {}
        self._stopping: set[str] = set()
        self._changed = asyncio.Condition()
        self._outgoing = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self.port = 0

    # ---------------------------------------------------------------- as a process

    async def start(self) -> None:
        """Serve, on the same port as before."""
        # The agent's channels ping as often as our own servers allow; gRPC's default takes that for abuse.
        server = grpc.aio.server(
            options=[("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_ping_strikes", 0)]
        )
        agent_service_pb2_grpc.add_AgentServiceServicer_to_server(_Agents(self), server)
        server.add_generic_rpc_handlers(
            (
                _handler(
                    "StateTrackerService",
                    "RegisterContainerInstance",
                    self.register,
                    state_tracker_service_pb2.RegisterContainerInstanceRequest,
                ),
                _handler(
                    "RegistryService", "CreateCluster", self.create_cluster, registry_service_pb2.CreateClusterRequest
                ),
            )
        )
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End all sessions and stop serving."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def instance_id(self) -> str:
        """Id of the newest instance."""
        return f"{self._mark}{self.instance:08x}"

    # ---------------------------------------------------------------- what a scheduler would say

    async def assign(
        self,
        definition: task_definition_pb2.TaskDefinition,
        *task_ids: str,
        overrides: task_pb2.TaskOverride | None = None,
        resources: Sequence[agent_service_pb2.ContainerResources] = (),
    ) -> None:
        """Have tasks run, in one increment."""
        key = f"{definition.family}:{definition.revision}"
        self._definitions[key] = definition
        tasks = []
        for task_id in task_ids:
            task = agent_service_pb2.AssignedTask(task_id=task_id, definition_key=key, cluster="default")
            if overrides is not None:
                task.overrides.CopyFrom(overrides)
            task.container_resources.extend(resources)
            tasks.append(task)
            self._tasks[task_id] = task
        definitions = [agent_service_pb2.AssignedDefinition(key=key, task_definition=definition)]
        self._append(definitions=definitions, tasks=tasks)

    async def assign_and_lose(self, definition: task_definition_pb2.TaskDefinition, *task_ids: str) -> None:
        """Have tasks run, in an increment that never reaches the session that is open."""
        self.lost.add(self.revision + 1)
        await self.assign(definition, *task_ids)

    async def end(self, *task_ids: str) -> None:
        """Have tasks stop."""
        self._stopping.update(task_ids)
        for task_id in task_ids:
            self._tasks.setdefault(task_id, agent_service_pb2.AssignedTask(task_id=task_id, cluster="default"))
        self._append(stops=[agent_service_pb2.AssignedStop(task_id=task_id) for task_id in task_ids])

    async def resend_everything(self) -> None:
        """Send a full set to the session that is open."""
        self.revision += 1
        self._log.append(self.full_set())
        self._outgoing.set()

    def forget(self, task_id: str) -> None:
        """Lose a task: it is in no later full set."""
        del self._tasks[task_id]

    def _append(self, **parts: Any) -> None:
        base, self.revision = self.revision, self.revision + 1
        # Revision zero is what a full set has for a base, so the first increment is one.
        self._log.append(agent_service_pb2.Assignment(base_revision=base, revision=self.revision, **parts))
        self._outgoing.set()

    # ---------------------------------------------------------------- what a test waits for

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something holds; fail with what was seen where it never does."""
        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"never came: {what}; seen: {self.observations}; {self.violations}") from None
        assert self.violations == []

    async def observed(self, task_id: str, status: task_pb2.TaskStatus.ValueType) -> Observation:
        """Wait until a task has (at least) this status; return what was observed."""

        def reached() -> bool:
            return task_id in self.observations and self.observations[task_id].last_status >= status

        await self.until(reached, f"{task_id} {task_pb2.TaskStatus.Name(status)}")
        return self.observations[task_id]

    async def running(self, task_id: str) -> Observation:
        """Wait until a task runs."""
        found = await self.observed(task_id, task_pb2.TASK_STATUS_RUNNING)
        assert found.last_status == task_pb2.TASK_STATUS_RUNNING, found
        return found

    async def stopped(self, task_id: str) -> Observation:
        """Wait until a task has stopped and is released."""
        await self.until(
            lambda: task_id in self.observations and self.observations[task_id].released, f"{task_id} released"
        )
        return self.observations[task_id]

    async def changed(self) -> None:
        """Have waiting tests look again."""
        async with self._changed:
            self._changed.notify_all()

    # ---------------------------------------------------------------- the protocol

    async def session(
        self, requests: AsyncIterator[agent_service_pb2.SessionRequest], context: Any
    ) -> AsyncIterator[agent_service_pb2.SessionResponse]:
        """One session."""
        first = await anext(requests)
        hello = first.hello
        self.hellos.append(hello)
        await self.changed()
        if self.session_error is not None:
            await context.abort(*self.session_error)
        if hello.container_instance_id != self.instance_id or hello.container_instance_id in self.deregistered:
            await context.abort(grpc.StatusCode.NOT_FOUND, "The instance is not registered.")
        if hello.instance_credential != CREDENTIAL:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "The credential is wrong.")
        yield agent_service_pb2.SessionResponse(
            welcome=agent_service_pb2.Welcome(
                session_epoch=len(self.hellos),
                recorded_report=self.recorded,
                heartbeat_interval_ms=HEARTBEAT_MS,
                lease_ms=LEASE_MS,
            )
        )
        line = _Line(self, hello.assignment_revision)
        reading = asyncio.create_task(line.read(requests))
        try:
            await self.changed()
            while not reading.done():
                message = line.next()
                if message is not None:
                    yield message
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_MS / 1000):
                        await self._outgoing.wait()
                self._outgoing.clear()
                if hello.container_instance_id in self.deregistered:
                    await context.abort(grpc.StatusCode.NOT_FOUND, "The instance was deregistered.")
                yield line.next() or agent_service_pb2.SessionResponse()
        finally:
            reading.cancel()

    async def register(self, request: Any, context: Any) -> Any:
        """RegisterContainerInstance."""
        if request.cluster not in self.clusters:
            missing = status.to_proto(errors.ClusterNotFoundException(f"Cluster {request.cluster} not found."))
            await context.abort(grpc.StatusCode.NOT_FOUND, missing.message, status.trailers(missing))
        self.registrations.append(request)
        answer = state_tracker_service_pb2.RegisterContainerInstanceResponse()
        if request.container_instance_arn:
            known = request.container_instance_arn.rpartition("/")[2]
            if known != self.instance_id or known in self.deregistered:
                await context.abort(grpc.StatusCode.NOT_FOUND, "The instance is not registered.")
        else:
            self.instance += 1
            answer.instance_credential = CREDENTIAL
        arn = f"arn:aws:ecs:us-east-1:123456789012:container-instance/default/{self.instance_id}"
        answer.container_instance.container_instance_arn = arn
        await self.changed()
        return answer

    async def create_cluster(self, request: Any, context: Any) -> Any:
        """CreateCluster."""
        self.clusters.add(request.cluster_name)
        return registry_service_pb2.CreateClusterResponse()

    def wake(self) -> None:
        """Have the session send what is due."""
        self._outgoing.set()

    def full_set(self) -> agent_service_pb2.Assignment:
        """Everything that should run or whose release is awaited."""
        full = agent_service_pb2.Assignment(base_revision=0, revision=self.revision)
        for key, definition in self._definitions.items():
            full.definitions.add(key=key, task_definition=definition)
        for task_id, task in self._tasks.items():
            observation = self.observations.get(task_id)
            if observation is None or not observation.released:
                full.tasks.add().CopyFrom(task)
                full.tasks[-1].stopping = task_id in self._stopping
        return full

    def after(self, revision: int) -> list[agent_service_pb2.Assignment]:
        """Increments after a revision; a full set where it is zero or unknown."""
        if revision == self.revision:
            return []
        if revision == 0 or revision > self.revision:
            return [self.full_set()]
        return [change for change in self._log[revision:] if change.revision not in self.lost]

    async def record(self, report: agent_service_pb2.Report) -> bool:
        """Record a report; False where it is not acknowledged."""
        if self.deaf:
            return False
        if report.number <= self.recorded:
            return True
        if report.number != self.recorded + 1:
            self.violations.append(f"report {report.number} after {self.recorded}")
        self.recorded = report.number
        for observation in report.tasks:
            before = self.observations.get(observation.task_id)
            if before is not None and before.last_status > observation.last_status:
                self.violations.append(f"{observation.task_id} went backwards")
            self.observations[observation.task_id] = observation
            seen = self.history.setdefault(observation.task_id, [])
            status = task_pb2.TaskStatus.Name(observation.last_status).removeprefix("TASK_STATUS_")
            if not seen or seen[-1] != status:
                seen.append(status)
        for tail in report.log_tails:
            self.log_tails.setdefault((tail.task_id, tail.container), []).append(tail)
        await self.changed()
        return True


class _Line:
    """What is under way in one session."""

    def __init__(self, tracker: FakeTracker, revision: int) -> None:
        self._tracker = tracker
        self._revision = revision
        self._full_wanted = revision == 0 and tracker.revision > 0
        self._unacknowledged: int | None = None
        self._report_ack: int | None = None

    def next(self) -> agent_service_pb2.SessionResponse | None:
        message = agent_service_pb2.SessionResponse()
        if self._report_ack is not None:
            message.report_ack.number = self._report_ack
            self._report_ack = None
        if self._unacknowledged is None:
            changes = [self._tracker.full_set()] if self._full_wanted else self._tracker.after(self._revision)
            if changes:
                self._full_wanted = False
                message.assignments.extend(changes)
                self._unacknowledged = changes[-1].revision
        return message if message.ByteSize() else None

    async def read(self, requests: AsyncIterator[agent_service_pb2.SessionRequest]) -> None:
        async for request in requests:
            tracker = self._tracker
            if request.HasField("hello"):
                tracker.violations.append("a second hello")
            if request.HasField("assignment_ack"):
                if request.assignment_ack.revision != self._unacknowledged:
                    tracker.violations.append(f"acknowledged {request.assignment_ack.revision}")
                self._revision = tracker.acknowledged = request.assignment_ack.revision
                self._unacknowledged = None
                await tracker.changed()
            if request.HasField("statistics"):
                tracker.statistics.append(request.statistics)
                await tracker.changed()
            if request.HasField("report"):
                if self._report_ack is not None:
                    tracker.violations.append("two reports under way")
                if await tracker.record(request.report):
                    self._report_ack = request.report.number
            elif not request.ByteSize():
                tracker.heartbeats += 1
                await tracker.changed()
            tracker.wake()


class _Agents(agent_service_pb2_grpc.AgentServiceServicer):
    def __init__(self, tracker: FakeTracker) -> None:
        self._tracker = tracker

    async def Session(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        async for message in self._tracker.session(request_iterator, context):
            yield message

    async def Stream(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        """This tracker orders none."""
        await context.abort(grpc.StatusCode.NOT_FOUND, "Nobody waits here for a stream of that id.")
        yield agent_service_pb2.StreamResponse()


def _handler(service: str, method: str, behavior: Any, request: Any) -> Any:
    """One unary method of a service whose others nobody calls here."""
    unary: Any = grpc.unary_unary_rpc_method_handler(
        behavior, request_deserializer=request.FromString, response_serializer=lambda answer: answer.SerializeToString()
    )
    return grpc.method_handlers_generic_handler(f"longshore.v1.{service}", {method: unary})
