"""Eternal loops and who looks after them: a loop that ends or dies is an error, is logged, and ends the component.

No bare `create_task` anywhere: a component opens one `Supervisor`, starts its loops in it, and hands it to `server.serving`, whose
`Serving.wait()` raises when a loop has died.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import structlog

_log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 10.0
"""How long cancelled loops may take to clean up; what still runs then is named in the log and left to the process's end."""


class LoopFailedError(Exception):
    """A loop ended or died. The cause, where there is one, is chained."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"loop {name} {what}")
        self.name = name


class SupervisorClosingError(RuntimeError):
    """Work was started while its supervisor was closing; it has not begun."""


async def guarded(name: str, loop: Callable[[], Awaitable[object]]) -> NoReturn:
    """Run an eternal loop. Its return and its exceptions become a LoopFailedError; cancellation passes."""
    try:
        await loop()
    except Exception as error:
        _log.exception("loop_died", loop=name)
        raise LoopFailedError(name, f"died of {type(error).__name__}") from error
    _log.error("loop_ended", loop=name)
    raise LoopFailedError(name, "ended")


class Supervisor:
    """Owner of a component's tasks. Made by `supervised()`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: LoopFailedError | None = None
        self._failed = asyncio.Event()
        self._closing = False

    def start(self, name: str, loop: Callable[[], Awaitable[object]]) -> asyncio.Task[NoReturn]:
        """Start an eternal loop, given as a function without arguments."""
        return self._adopt(name, guarded(name, loop))

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that may end. An exception out of it counts as the death of a loop, so it must handle what it expects."""
        return self._adopt(name, work)

    async def failed(self) -> NoReturn:
        """Wait until a loop fails, then raise its LoopFailedError."""
        await self._failed.wait()
        raise self._failure or LoopFailedError("unknown", "failed")

    @property
    def failure(self) -> LoopFailedError | None:
        """The first failure, if any."""
        return self._failure

    def _adopt(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if self._closing:
            work.close()
            raise SupervisorClosingError(f"{name} was started while its supervisor was closing")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if not isinstance(error, LoopFailedError):
            # Judged here and not in a coroutine around the work: one that is cancelled before its first step would leave the
            # work inside it never awaited.
            name = task.get_name()
            _log.error("loop_died", loop=name, exc_info=error)
            failure = LoopFailedError(name, f"died of {type(error).__name__}")
            failure.__cause__ = error
            error = failure
        if self._failure is None and not self._closing:
            self._failure = error
            self._failed.set()

    async def close(self) -> None:
        """Cancel everything and wait until it has ended, for a bounded time."""
        self._closing = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
        for task in left:
            _log.error("loop_did_not_stop", loop=task.get_name(), waited_s=STOP_TIMEOUT_S)


@contextlib.asynccontextmanager
async def supervised() -> AsyncIterator[Supervisor]:
    """A supervisor whose loops are cancelled, and awaited, at the end of the block."""
    supervisor = Supervisor()
    try:
        yield supervisor
    finally:
        await supervisor.close()


async def sleep_until_event(event: asyncio.Event, timeout_s: float) -> bool:
    """Sleep, but no longer than until the event is set. True when it is set."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
