"""Docker's event stream, resumed for ever: from the last event's time on, with a note after each gap."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiodocker
import aiohttp

from longshore.agent import runtime
from longshore.agent.docker import docker_images, docker_values
from longshore.rpc import backoff

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_OPEN_TIMEOUT_S = 30.0
"""How long the engine may take to accept a subscription."""
_NANOSECONDS = 1_000_000_000
_CONTAINER_ACTIONS = ["die", "start", "destroy", "health_status"]


def encoded_filters(**filters: list[str]) -> str:
    """Filters as Docker's API takes them."""
    return json.dumps(filters)


class Events:
    """The one subscription of this agent."""

    def __init__(self, docker: aiodocker.Docker, images: docker_images.Images) -> None:
        self._docker = docker
        self._images = images
        self._last_ns = 0

    async def follow(self) -> AsyncIterator[runtime.RuntimeEvent]:
        """Yield StreamOpened whenever the stream has (again) been opened, then what is in it."""
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        while True:
            try:
                async with contextlib.aclosing(self._once()) as stream:
                    async for event in stream:
                        pauses.reset()
                        yield event
            except (aiodocker.DockerError, aiohttp.ClientError, OSError, ValueError, TimeoutError):
                pass  # the engine is away; that the stream has ended is all there is to know
            finally:
                self._images.watch(watched=False)
            await pauses.sleep()

    async def _once(self) -> AsyncGenerator[runtime.RuntimeEvent, None]:
        filters = encoded_filters(
            type=["container", "image"], event=[*_CONTAINER_ACTIONS, *sorted(docker_images.FORGETTING)]
        )
        params: dict[str, Any] = {"filters": filters}
        if self._last_ns:
            seconds, rest = divmod(self._last_ns + 1, _NANOSECONDS)
            params["since"] = f"{seconds}.{rest:09d}"
        unlimited = aiohttp.ClientTimeout(total=None, sock_read=None)
        async with asyncio.timeout(_OPEN_TIMEOUT_S) as opening:
            # aiodocker's own subscription hides its end and drops nanoseconds; this is the request below it.
            call = self._docker._query("events", method="GET", params=params, timeout=unlimited)  # noqa: SLF001
            async with call as response:
                opening.reschedule(None)
                self._images.watch(watched=True)
                try:
                    yield runtime.StreamOpened()
                    while line := await response.content.readline():
                        event = self._read(line)
                        if event is not None:
                            yield event
                finally:
                    response.close()

    def _read(self, line: bytes) -> runtime.RuntimeEvent | None:
        data = json.loads(line)
        self._last_ns = max(self._last_ns, int(data.get("timeNano", 0)))
        if data.get("Type") == "image":
            self._images.notice(data)
            return None
        return docker_values.news(data)
