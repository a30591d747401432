"""How a reading ends whose reader has left, whatever it was in the middle of."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

from longshore.agent import log_frames, states, task_changes
from longshore.agent.logs import log_reading
from longshore.v1 import agent_service_pb2

STAMP = b"2026-11-28T23:22:06.743717877Z"
WAIT_S = 5.0


class EndlessLog:
    """An engine whose containers never stop writing."""

    async def logs(self, _: str, __: Any) -> AsyncGenerator[list[log_frames.Entry], None]:
        """The same line for ever."""
        while True:
            yield [(log_frames.STDOUT, STAMP, b"line\n")]


def running(*names: str) -> Any:
    """A host with one task, whose containers run."""
    container = SimpleNamespace(phase=states.ContainerPhase.RUNNING, runtime_id="id", ran=True)
    record = SimpleNamespace(
        task_id="t",
        stopped=False,
        state=SimpleNamespace(
            shown=[(SimpleNamespace(name=name), container) for name in names], container=lambda _: container
        ),
    )
    return SimpleNamespace(tasks={"t": record}, changes=task_changes.Changes(), runtime=EndlessLog(), clock=lambda: 0)


async def test_a_reader_that_leaves_a_busy_log_leaves_nothing_behind() -> None:
    source = agent_service_pb2.LogSource(task_id="t", containers=["app"], follow=True)
    before = asyncio.all_tasks()
    chunks = log_reading.TaskLogs(running("app"), source).chunks()
    await anext(chunks)
    for _ in range(log_reading.WAITING_BATCHES * 2):
        await asyncio.sleep(0)  # until no more fits into the queue
    # Not under a timeout, whose cancellation would help it along.
    closing = asyncio.ensure_future(chunks.aclose())
    assert (await asyncio.wait({closing}, timeout=WAIT_S))[0]
    assert asyncio.all_tasks() == before
