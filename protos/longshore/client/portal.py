"""An event loop on a thread of its own, for programs that have none: `blocking.Client` asks through it."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_END: Any = object()
"""What comes after the last."""


class Portal:
    """Runs coroutines on its thread and waits for them. May be used by several threads at a time."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Event | None = None

    def open(self) -> None:
        """Start the thread. Raises RuntimeError where it runs already."""
        if self._loop is not None:
            raise RuntimeError("The client is open already.")
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="longshore client", daemon=True)
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """End the thread; what still runs on it is cancelled."""
        if self._loop is None or self._ended is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop = self._thread = self._ended = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what a coroutine returns. Interrupted (Ctrl-C), it is cancelled."""
        if self._loop is None:
            work.close()
            raise RuntimeError("The client is not open: use it as in `with Client() as longshore:`.")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("A callback runs on the client's own thread, and cannot wait for the client there.")
        # The context of the caller goes along: a request id that is set here is told there.
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """What an asynchronous generator gives. It is closed as soon as nobody wants more: when a `for` is left, for instance."""
        try:
            while (item := self.run(_next(items))) is not _END:
                yield item
        finally:
            self._dispose(items)

    def _dispose(self, items: AsyncGenerator[Any, None]) -> None:
        if self._loop is None:
            return
        closing = _closed(items)
        if threading.current_thread() is self._thread:
            # Collected as garbage here, of all threads: there is nobody who could wait.
            asyncio.run_coroutine_threadsafe(closing, self._loop)
        else:
            self.run(closing)

    def _serve(self, started: threading.Event) -> None:
        async def until_closed() -> None:
            self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await self._ended.wait()

        asyncio.run(until_closed())


async def _next(items: AsyncGenerator[T, None]) -> T:
    return await anext(items, _END)


async def _closed(items: AsyncGenerator[Any, None]) -> None:
    # One that was interrupted has ended already, or is about to.
    with contextlib.suppress(RuntimeError):
        await items.aclose()
