"""Who watches: each stream of events is written down as it comes, and whoever waits for a task hears of it."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from longshore.client import client as clients
from longshore.drill import journal
from longshore.rpc import errors
from longshore.v1 import event_pb2, task_pb2

T = TypeVar("T")

RUNNING, STOPPED = task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED


class Watcher:
    """Follows the cluster's log, or a part of it, from its beginning."""

    def __init__(
        self,
        name: str,
        client: clients.Client,
        notes: journal.Journal,
        *,
        family: str = "",
        take: Callable[[Iterable[event_pb2.Event]], None] = lambda _: None,
    ) -> None:
        """`take` hears of the events, too."""
        self.name = name
        self.opened = asyncio.Event()
        self.reached = 0
        """The last sequence that came."""
        self._client = client
        self._notes = notes
        self._family = family
        self._take = take
        self._closed = False

    async def follow(self) -> NoReturn:
        """Write down what comes and hand it on, for ever."""
        self._notes.write("watch", watcher=self.name, family=self._family)
        watching = self._client.watch(cluster="default", family=self._family, on_lost=self._lost)
        async with contextlib.aclosing(watching) as batches:
            async for batch in batches:
                self.opened.set()
                if batch.events and not self._closed:
                    self.reached = batch.events[-1].sequence
                    self._notes.write("watched", watcher=self.name, events=[summary(event) for event in batch.events])
                    self._take(batch.events)
        raise AssertionError("a watch does not end")

    def close(self) -> None:
        """Write down nothing more: what was told by now is what is judged."""
        self._closed = True

    def _lost(self, error: errors.Unavailable) -> None:
        self._notes.write("watch lost", watcher=self.name, said=str(error))


class Progress:
    """How far tasks and instances are, by one watcher's events."""

    def __init__(self) -> None:
        self._tasks: dict[str, task_pb2.TaskStatus.ValueType] = {}
        self._live: set[str] = set()
        self._instances: dict[str, bool] = {}
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def take(self, events: Iterable[event_pb2.Event]) -> None:
        """Hear of what happened."""
        for event in events:
            if event.HasField("task"):
                task = event.task
                self._tasks[task.task_id] = task.last_status
                (self._live.discard if task.released else self._live.add)(task.task_id)
            else:
                instance = event.container_instance
                self._instances[instance.container_instance_id] = instance.agent_connected
        for held in [held for held in self._waiting if held[0]()]:
            self._waiting.remove(held)
            if not held[1].done():
                held[1].set_result(None)

    @property
    def live(self) -> frozenset[str]:
        """Tasks that are not released."""
        return frozenset(self._live)

    @property
    def instances(self) -> list[str]:
        """All that have registered, in a lasting order."""
        return sorted(self._instances)

    @property
    def known(self) -> list[str]:
        """All tasks that there have been."""
        return sorted(self._tasks)

    def not_stopped(self) -> list[str]:
        """Tasks that have not stopped."""
        return sorted(task for task in self._live if self._tasks[task] < STOPPED)

    async def until_running(self, task_id: str) -> None:
        """Wait until a task has come to run, or further."""
        await self._until(lambda: self._tasks.get(task_id, 0) >= RUNNING)

    async def until_connected(self, count: int) -> None:
        """Wait until so many instances hold a session."""
        await self._until(lambda: sum(self._instances.values()) >= count)

    async def until_released(self) -> None:
        """Wait until nothing takes anything any more."""
        await self._until(lambda: not self._live)

    async def _until(self, holds: Callable[[], bool]) -> None:
        if holds():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held = (holds, future)
        self._waiting.append(held)
        try:
            await future
        finally:
            if held in self._waiting:
                self._waiting.remove(held)


def summary(event: event_pb2.Event) -> list[object]:
    """What the judgement reads of an event, as a list: its place, whom it concerns, and what it says."""
    if event.HasField("task"):
        task = event.task
        return [
            event.sequence,
            "task",
            task.task_id,
            task.version,
            task.container_instance_id,
            task.last_status,
            task.desired_status,
            task.stop_code,
            int(task.released),
            f"{task.family}:{task.revision}",
            task.started_by,
        ]
    instance = event.container_instance
    return [
        event.sequence,
        "instance",
        instance.container_instance_id,
        instance.version,
        instance.status,
        int(instance.agent_connected),
    ]


def batched(items: Iterable[T], size: int) -> Iterable[list[T]]:
    """In parts that make lines of a readable length."""
    source = iter(items)
    while part := list(itertools.islice(source, size)):
        yield part
