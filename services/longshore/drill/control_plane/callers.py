"""The clients: each makes its planned calls one after the other, and every call and every answer is written down."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from longshore.client import client as clients
from longshore.drill import journal
from longshore.drill.control_plane import families, plan, watching
from longshore.rpc import codec, errors
from longshore.v1 import (
    container_instance_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_pb2,
)

CLUSTER = "default"
ONCE_TIMEOUT_S = 5.0
"""Of a call that is not repeated: longer than a change of leader, so that most are answered."""

MANY = 8
"""Tasks of a call of RunTasks, times what the plan says."""

_PROBE_PAUSE_S = 0.1
_PRIORITIES = 3
"""Of what waits: a few, so that some overtake others."""

_REASON = "the drill has seen enough of it"

Made = Callable[[], Awaitable[Message]]


class Caller:
    """One client. `numbers` are shared by all of a drill, so that each call has one of its own."""

    def __init__(
        self,
        client: clients.Client,
        progress: watching.Progress,
        notes: journal.Journal,
        numbers: Iterator[int],
    ) -> None:
        self._client = client
        self._progress = progress
        self._notes = notes
        self._numbers = numbers
        self._accepted: list[str] = []
        self._over = asyncio.Event()

    def close(self) -> None:
        """Make no further call."""
        self._over.set()

    async def keep(self, planned: Iterator[plan.Planned]) -> None:
        """Make the planned calls until it is over."""
        acts: dict[plan.Operation, Callable[[plan.Planned], Awaitable[None]]] = {
            plan.Operation.RUN: self._run,
            plan.Operation.RUN_ONCE: self._run_once,
            plan.Operation.RUN_MANY: self._run_many,
            plan.Operation.WAIT: self._wait,
            plan.Operation.START: self._start,
            plan.Operation.STOP: self._stop,
            plan.Operation.RETIRE: self._retire,
            plan.Operation.DRAIN: self._drain,
        }
        for one in planned:
            if await self._rests(one.pause_s):
                return
            await acts[one.operation](one)

    async def probe(self, key: str) -> str:
        """Have a small task placed, however often it has to be asked for; its id."""
        attempt = 0
        while not (found := await self._ran(f"{key}-{attempt}", families.PROBE, 1)):
            attempt += 1
            await asyncio.sleep(_PROBE_PAUSE_S)
        return found[0]

    async def stop(self, task_id: str) -> bool:
        """Ask for a task's end; whether that was answered."""
        request = scheduler_service_pb2.StopTaskRequest(cluster=CLUSTER, task=task_id, reason=_REASON)
        method = self._client.scheduler.StopTask
        return await self._told("StopTask", lambda: self._client.call(method, request), task=task_id) is not None

    async def define(self, family: str, containers: list[dict[str, Any]]) -> str:
        """Register a revision; its name, empty where nobody knows whether there is one."""
        document = families.document(family, containers)
        request = codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, document)
        answer = await self._told(
            "RegisterTaskDefinition",
            lambda: self._client.call(self._client.registry.RegisterTaskDefinition, request),
            definition=family,
        )
        if not isinstance(answer, registry_service_pb2.RegisterTaskDefinitionResponse):
            return ""
        found = f"{answer.task_definition.family}:{answer.task_definition.revision}"
        self._notes.write("needs", definition=found, **families.needs(containers))
        return found

    # ------------------------------------------------------------------------------------------------ operations

    async def _run(self, one: plan.Planned) -> None:
        found = await self._ran(one.key, one.family, one.count)
        if one.looks and found:
            await self._look(found)

    async def _ran(self, key: str, definition: str, count: int) -> list[str]:
        request = _run_request(key, definition, count)
        return await self._placed(
            "RunTask",
            lambda: self._client.call(self._client.scheduler.RunTask, request),
            key=key,
            count=count,
            definition=definition,
        )

    async def _run_once(self, one: plan.Planned) -> None:
        request = _run_request(one.key, one.family, one.count)
        await self._placed(
            "RunTask",
            lambda: self._client.scheduler.RunTask(request, timeout=ONCE_TIMEOUT_S),
            key=one.key,
            count=one.count,
            definition=one.family,
        )

    async def _run_many(self, one: plan.Planned) -> None:
        count = MANY * one.count
        request = scheduler_service_pb2.RunTasksRequest(count=count, run_task=_run_request(one.key, one.family, None))
        await self._placed(
            "RunTasks",
            lambda: self._client.call(self._client.scheduler.RunTasks, request),
            key=one.key,
            count=count,
            definition=one.family,
        )

    async def _wait(self, one: plan.Planned) -> None:
        request = _run_request(one.key, one.family, one.count)
        request.wait_for_capacity.timeout_seconds = one.wait_s
        request.wait_for_capacity.priority = int(one.draw * _PRIORITIES)
        found = await self._placed(
            "RunTask",
            lambda: self._client.call(self._client.scheduler.RunTask, request),
            key=one.key,
            count=one.count,
            definition=one.family,
            waits=one.wait_s,
        )
        if one.looks and found:
            await self._look(found)

    async def _start(self, one: plan.Planned) -> None:
        if not (instances := self._progress.instances):
            return
        instance = instances[int(one.draw * len(instances))]
        request = scheduler_service_pb2.StartTaskRequest(
            cluster=CLUSTER, task_definition=one.family, started_by=one.key, container_instances=[instance]
        )
        await self._placed(
            "StartTask",
            lambda: self._client.scheduler.StartTask(request, timeout=ONCE_TIMEOUT_S),
            key=one.key,
            count=1,
            definition=one.family,
            instance=instance,
        )

    async def _stop(self, one: plan.Planned) -> None:
        live = self._progress.live
        self._accepted = [task_id for task_id in self._accepted if task_id in live]
        if not self._accepted:
            return
        task_id = self._accepted[int(one.draw * len(self._accepted))]
        if await self.stop(task_id) and one.looks:
            await self._look([task_id], stopped=True)

    async def _retire(self, one: plan.Planned) -> None:
        definition = await self.define(f"retired-{one.key}", families.DEFINITIONS["small"])
        if not definition:
            return
        await self._ran(f"{one.key}-before", definition, 1)
        request = registry_service_pb2.DeregisterTaskDefinitionRequest(task_definition=definition)
        await self._told(
            "DeregisterTaskDefinition",
            lambda: self._client.call(self._client.registry.DeregisterTaskDefinition, request),
            definition=definition,
        )
        await self._ran(f"{one.key}-after", definition, 1)

    async def _drain(self, one: plan.Planned) -> None:
        if not (instances := self._progress.instances):
            return
        instance = instances[int(one.draw * len(instances))]
        await self._set_state(instance, container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING)
        await asyncio.sleep(one.hold_s)
        await self._set_state(instance, container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE)

    async def _set_state(
        self, instance: str, status: "container_instance_pb2.ContainerInstanceStatus.ValueType"
    ) -> None:
        request = state_tracker_service_pb2.UpdateContainerInstancesStateRequest(
            cluster=CLUSTER, container_instances=[instance], status=status
        )
        await self._told(
            "UpdateContainerInstancesState",
            lambda: self._client.call(self._client.state_tracker.UpdateContainerInstancesState, request),
            instance=instance,
            status=int(status),
        )

    async def _look(self, task_ids: list[str], **about: Any) -> None:
        request = state_tracker_service_pb2.DescribeTasksRequest(cluster=CLUSTER, tasks=task_ids)
        await self._told(
            "DescribeTasks",
            lambda: self._client.call(self._client.state_tracker.DescribeTasks, request),
            asked=task_ids,
            **about,
        )

    # ------------------------------------------------------------------------------------------------ the journal

    async def _placed(self, name: str, made: Made, **about: Any) -> list[str]:
        """The tasks that a call was answered with."""
        answer = await self._told(name, made, **about)
        found = _tasks_of(answer) if answer is not None else []
        self._accepted += found
        return found

    async def _told(self, name: str, made: Made, **about: Any) -> Message | None:
        """Make a call, and write down that it is made and what comes of it; its answer, None where there is none."""
        number = next(self._numbers)
        self._notes.write("call", number=number, name=name, **about)
        try:
            answer = await made()
        except (errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled) as error:
            # Whether it was carried out nobody knows.
            self._notes.write("unknown", number=number, reason=error.reason, said=error.message)
        except errors.ServiceError as error:
            self._notes.write("refused", number=number, reason=error.reason, said=error.message)
        else:
            self._notes.write("answer", number=number, **_shown(answer))
            return answer
        return None

    async def _rests(self, seconds: float) -> bool:
        """Wait; whether it is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True


def _run_request(key: str, definition: str, count: int | None) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(
        cluster=CLUSTER, task_definition=definition, count=count, started_by=key
    )


def _tasks_of(answer: Message) -> list[str]:
    if isinstance(answer, scheduler_service_pb2.RunTasksResponse):
        return list(answer.task_ids)
    if isinstance(answer, scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse):
        return [id_of(task) for task in answer.tasks]
    return []


def _shown(answer: Message) -> dict[str, Any]:
    """What the judgement reads of an answer."""
    if isinstance(answer, scheduler_service_pb2.RunTasksResponse):
        return {"tasks": _tasks_of(answer), "failures": sorted({failure.reason for failure in answer.failures})}
    if isinstance(answer, scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse):
        reasons = sorted({failure.reason for failure in answer.failures})
        return {"tasks": _tasks_of(answer), "failures": reasons, "unplaced": len(answer.failures)}
    if isinstance(answer, state_tracker_service_pb2.DescribeTasksResponse):
        return {"known": [[id_of(task), int(task.desired_status)] for task in answer.tasks]}
    return {}


def id_of(task: task_pb2.Task) -> str:
    """A task's id, of its ARN."""
    return task.task_arn.rpartition("/")[2]
