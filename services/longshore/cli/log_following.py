"""The containers' output of tasks that `run --wait` and `start --wait` follow, from the first byte to the last.

A task's output is printed from its Running on, and its Stopped after the last of it, so that what is read is in order whichever connection
is faster. The narration goes to standard error meanwhile: standard output is the containers' own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from longshore.cli import log_output, output
from longshore.client import client as clients
from longshore.rpc import errors

LAST_OUTPUT_S = 10.0
"""How long the last output of a task that has stopped is waited for: its host may be gone, and then it is not to be had soon."""

SHORT_ID = 12
"""Digits of a task's id before its lines, where there are several tasks."""


class Following:
    """Prints the output of some tasks, and says their ends after it."""

    def __init__(
        self,
        client: clients.Client,
        cluster: str,
        *,
        printer: log_output.Printer,
        say: Callable[[str], None],
        prefixed: bool,
        named: bool,
    ) -> None:
        """`say` prints a sentence. `prefixed`: several containers may write; `named`: of several tasks."""
        self._client = client
        self._cluster = cluster
        self._printer = printer
        self._say = say
        self._prefixed = prefixed
        self._named = named
        self._lost = log_output.Lost()
        self._began: dict[str, asyncio.Event] = {}
        self._endings: dict[str, Sequence[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._queued: set[str] = set()
        self._never_placed: set[str] = set()

    @contextlib.asynccontextmanager
    async def of(self, task_ids: Iterable[str], queued: Iterable[str] = ()) -> AsyncIterator[None]:
        """Read for the time of the block, and to the end of what was written where the block ends well.

        `queued` are those among them that wait for capacity: there is nothing to read of them before they run.
        """
        self._queued.update(queued)
        for task_id in task_ids:
            self._began[task_id] = asyncio.Event()
            self._tasks[task_id] = asyncio.create_task(self._read(task_id), name=f"logs {task_id}")
        try:
            yield
            _, late = await asyncio.wait(self._tasks.values(), timeout=LAST_OUTPUT_S)
            if late:
                output.notice("Not all output has come; `longshore logs` tries again.")
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._printer.finish()
            for lines in self._endings.values():
                self._tell(lines)

    def running(self, task_id: str) -> None:
        """The task runs, or is past that: its output may be printed."""
        self._began[task_id].set()

    def stopped(self, task_id: str, lines: Sequence[str], *, placed: bool = True) -> None:
        """The task has stopped; the lines say so, after its last output. `placed`: whether it ever was on an instance."""
        if not placed:
            self._never_placed.add(task_id)
        self._began[task_id].set()
        if self._tasks[task_id].done():
            self._tell(lines)
        else:
            self._endings[task_id] = lines

    async def _read(self, task_id: str) -> None:
        try:
            await self._print(task_id)
        except errors.ServiceError as error:
            output.notice(f"The output cannot be shown: {error.message}")
        lines = self._endings.pop(task_id, None)
        if lines is not None:
            self._printer.finish(self._name(task_id))
            self._tell(lines)

    async def _print(self, task_id: str) -> None:
        name = self._name(task_id)
        if task_id in self._queued:
            await self._began[task_id].wait()
        if task_id in self._never_placed:
            return
        reading = self._client.logs(task_id, cluster=self._cluster, follow=True, on_lost=self._lost.say)
        async with contextlib.aclosing(reading) as outputs:
            async for found in outputs:
                self._lost.found()
                await self._began[task_id].wait()
                self._printer.show(found, prefixed=self._prefixed, name=name)

    def _name(self, task_id: str) -> str:
        # The last digits: ids begin with the time, which those of one call share.
        return task_id[-SHORT_ID:] if self._named else ""

    def _tell(self, lines: Sequence[str]) -> None:
        for text in lines:
            self._say(text)
