"""An agent without containers that speaks the real protocol over a real port."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

from longshore.rpc import channels, errors
from longshore.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    common_pb2,
    event_pb2,
    state_tracker_service_pb2,
    task_pb2,
)

# Everything answers within milliseconds; this is for a machine that is busy.
TIMEOUT_S = 15.0

PENDING = task_pb2.TASK_STATUS_PENDING
RUNNING = task_pb2.TASK_STATUS_RUNNING
STOPPED = task_pb2.TASK_STATUS_STOPPED

_processes = itertools.count(1)


def resources(cpu: int = 4096, memory: int = 8192) -> list[common_pb2.Resource]:
    return [
        common_pb2.Resource(name="CPU", type="INTEGER", integer_value=cpu),
        common_pb2.Resource(name="MEMORY", type="INTEGER", integer_value=memory),
        common_pb2.Resource(name="PORTS", type="STRINGSET", string_set_value=["22", "51678"]),
        common_pb2.Resource(name="PORTS_UDP", type="STRINGSET"),
    ]


def registration(cluster: str = "web", **fields: Any) -> state_tracker_service_pb2.RegisterContainerInstanceRequest:
    return state_tracker_service_pb2.RegisterContainerInstanceRequest(
        **{
            "cluster": cluster,
            "total_resources": resources(),
            "version_info": common_pb2.VersionInfo(agent_version="1.0", docker_version="DockerVersion: 27.0"),
            "attributes": [
                common_pb2.Attribute(name="ecs.availability-zone", value="zone-a"),
                common_pb2.Attribute(name="ecs.cpu-architecture", value="x86_64"),
            ],
            **fields,
        }
    )


def observed(
    task_id: str,
    status: "task_pb2.TaskStatus.ValueType",
    *containers: event_pb2.ContainerObservation,
    released: bool = False,
    stop_code: "task_pb2.TaskStopCode.ValueType" = task_pb2.TASK_STOP_CODE_UNSPECIFIED,
    reason: str = "",
) -> agent_service_pb2.TaskObservation:
    return agent_service_pb2.TaskObservation(
        task_id=task_id,
        last_status=status,
        containers=containers,
        released=released,
        stop_code=stop_code,
        stopped_reason=reason,
    )


def exited(task_id: str, code: int = 0) -> agent_service_pb2.TaskObservation:
    """The whole observation of a task whose essential container has ended by itself."""
    return observed(
        task_id,
        STOPPED,
        event_pb2.ContainerObservation(name="main", last_status=task_pb2.CONTAINER_STATUS_STOPPED, exit_code=code),
        released=True,
        stop_code=task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED,
        reason="Essential container in task exited",
    )


@dataclass
class Identity:
    """What a registration gave."""

    instance_id: str
    credential: str


@dataclass
class Session:
    """One open stream, after its welcome."""

    call: Any
    welcome: agent_service_pb2.Welcome
    number: int
    assignments: list[agent_service_pb2.Assignment] = field(default_factory=list)
    acknowledged: int = 0

    async def send(self, **parts: Any) -> None:
        await self.call.write(agent_service_pb2.SessionRequest(**parts))

    async def receive(self) -> agent_service_pb2.SessionResponse:
        """The next message with content. Raises what the stream ends with."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                response: Any = await self.call.read()
                if response is grpc.aio.EOF:
                    await self.call.code()
                    raise AssertionError("the stream ended without an error")
                assert isinstance(response, agent_service_pb2.SessionResponse)
                if response.ByteSize():
                    self.assignments.extend(response.assignments)
                    self.acknowledged = max(self.acknowledged, response.report_ack.number)
                    return response

    async def ended(self) -> errors.ServiceError:
        """The error that the stream ends with."""
        try:
            while True:
                await self.receive()
        except errors.ServiceError as error:
            return error

    async def ack(self, revision: int) -> None:
        await self.send(assignment_ack=agent_service_pb2.AssignmentAck(revision=revision))

    async def assigned(self) -> agent_service_pb2.Assignment:
        """The next assignment, acknowledged."""
        while not self.assignments:
            await self.receive()
        assignment = self.assignments.pop(0)
        await self.ack(assignment.revision)
        return assignment

    async def report(self, *tasks: agent_service_pb2.TaskObservation, number: int | None = None) -> int:
        """Report and wait for the acknowledgement; gives the number."""
        self.number = number if number is not None else self.number + 1
        await self.send(report=agent_service_pb2.Report(number=self.number, tasks=tasks))
        while self.acknowledged < self.number:
            await self.receive()
        return self.number

    async def heartbeat(self) -> None:
        await self.send()

    async def beat_until(self, done: asyncio.Event, interval_s: float) -> None:
        """Keep the session alive."""
        while not done.is_set():
            await self.heartbeat()
            try:
                async with asyncio.timeout(interval_s):
                    await done.wait()
            except TimeoutError:
                continue


@asynccontextmanager
async def session(
    address: str, identity: Identity, *, revision: int = 0, process_id: str | None = None
) -> AsyncIterator[Session]:
    """A session from its hello to the end of the block."""
    async with channels.connect(address) as channel:
        stub: Any = agent_service_pb2_grpc.AgentServiceStub(channel)
        call = stub.Session()
        await call.write(
            agent_service_pb2.SessionRequest(
                hello=agent_service_pb2.Hello(
                    container_instance_id=identity.instance_id,
                    instance_credential=identity.credential,
                    assignment_revision=revision,
                    agent_process_id=process_id or f"process-{next(_processes)}",
                )
            )
        )
        async with asyncio.timeout(TIMEOUT_S):
            first = await call.read()
        if first is grpc.aio.EOF:
            await call.code()
            raise AssertionError("the stream ended without an error")
        assert first.HasField("welcome")
        opened = Session(call, first.welcome, first.welcome.recorded_report)
        try:
            yield opened
        finally:
            call.cancel()


def task_ids(assignments: Sequence[agent_service_pb2.Assignment]) -> list[str]:
    return [task.task_id for assignment in assignments for task in assignment.tasks]
