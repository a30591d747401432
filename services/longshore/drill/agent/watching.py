"""What the control plane tells: every event is written down, and whoever waits for a task hears of it."""

import asyncio
import contextlib
from typing import Any, NoReturn

from longshore.client import client as clients
from longshore.drill import journal
from longshore.v1 import event_pb2, task_pb2

RUNNING, STOPPED = task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED


class Watch:
    """Follows the cluster's log from its beginning."""

    def __init__(self, client: clients.Client, notes: journal.Journal) -> None:
        self._client = client
        self._notes = notes
        self._last: dict[str, event_pb2.TaskEvent] = {}
        self._news = asyncio.Condition()
        self.opened = asyncio.Event()
        self.connected = False
        """Whether the agent holds a session, by the last that was told."""

    async def follow(self) -> NoReturn:
        """Write down and tell, for ever."""
        async with contextlib.aclosing(self._client.watch(cluster="default")) as batches:
            async for batch in batches:
                self.opened.set()
                async with self._news:
                    for event in batch.events:
                        self._take(event)
                    self._news.notify_all()
        raise AssertionError("a watch does not end")

    async def until(self, task_id: str, status: "task_pb2.TaskStatus.ValueType") -> None:
        """Wait until a task has come so far."""
        async with self._news:
            await self._news.wait_for(lambda: task_id in self._last and self._last[task_id].last_status >= status)

    async def until_connected(self) -> None:
        """Wait until the agent holds a session."""
        async with self._news:
            await self._news.wait_for(lambda: self.connected)

    def open(self, task_ids: "list[str]") -> list[str]:
        """Those of the tasks whose resources are not free yet."""
        return [task_id for task_id in task_ids if task_id not in self._last or not self._last[task_id].released]

    async def until_released(self, task_ids: list[str]) -> None:
        """Wait until all that these tasks took is free again."""
        async with self._news:
            await self._news.wait_for(lambda: not self.open(task_ids))

    async def until_ended(self, task_id: str, runtime_id: str) -> None:
        """Wait until a container is told to have ended."""
        async with self._news:
            await self._news.wait_for(lambda: (task_id, runtime_id) not in self.running())

    def running(self) -> list[tuple[str, str]]:
        """Task and engine's id of each container that runs, as far as told, in a lasting order."""
        return sorted(
            (task.task_id, container.runtime_id)
            for task in self._last.values()
            if task.last_status < STOPPED
            for container in task.containers
            if container.last_status == task_pb2.CONTAINER_STATUS_RUNNING and container.runtime_id
        )

    def _take(self, event: event_pb2.Event) -> None:
        if event.HasField("task"):
            self._last[event.task.task_id] = event.task
            self._notes.write("event", sequence=event.sequence, task=_task(event.task))
        elif event.HasField("container_instance"):
            self.connected = event.container_instance.agent_connected
            self._notes.write("event", sequence=event.sequence, connected=self.connected)


def _task(task: event_pb2.TaskEvent) -> dict[str, Any]:
    return {
        "task": task.task_id,
        "version": task.version,
        "status": status(task.last_status),
        "desired": task_pb2.DesiredStatus.Name(task.desired_status).removeprefix("DESIRED_STATUS_"),
        "stop_code": stop_code(task.stop_code),
        "reason": task.stopped_reason,
        "released": task.released,
        "containers": [_container(container) for container in task.containers],
    }


def _container(container: event_pb2.ContainerObservation) -> dict[str, Any]:
    return {
        "name": container.name,
        "runtime_id": container.runtime_id,
        "status": task_pb2.ContainerStatus.Name(container.last_status).removeprefix("CONTAINER_STATUS_"),
        "code": container.exit_code if container.HasField("exit_code") else None,
        "reason": container.reason,
        "restarts": container.restart_count,
        "ports": [
            f"{binding.bind_ip}:{binding.host_port}/{binding.protocol}" for binding in container.network_bindings
        ],
    }


def status(value: "task_pb2.TaskStatus.ValueType") -> str:
    """A task's status as ECS writes it."""
    return task_pb2.TaskStatus.Name(value).removeprefix("TASK_STATUS_")


def stop_code(value: "task_pb2.TaskStopCode.ValueType") -> str:
    """Why a task stopped, by the contract's name; empty where it has not."""
    return task_pb2.TaskStopCode.Name(value).removeprefix("TASK_STOP_CODE_").replace("UNSPECIFIED", "")
