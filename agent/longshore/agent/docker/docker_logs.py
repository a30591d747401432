"""Containers' logs through Docker's own API: whatever its drivers can read, demultiplexed. Not through aiodocker, which takes lines apart.

Spoken in HTTP/1.0: the engine writes every entry by itself, and in HTTP/1.1 each of these would be a chunk to take apart.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiodocker
import aiohttp

from longshore.agent import log_frames, runtime
from longshore.agent.docker import docker_errors

INSPECT_TIMEOUT_S = 30.0
"""ECS's bound for an inspection."""
SILENCE_TIMEOUT_S = 120.0
"""Silence after which a log that is not followed is given up: the engine has all of it. Skipping a large one takes seconds."""
BUFFER_BYTES = 128 * 1024
"""What is read ahead of a slow reader, twice at most; then the engine waits."""

_NANOSECONDS = 1_000_000_000
_FOLLOWED = aiohttp.ClientTimeout(total=None, sock_connect=INSPECT_TIMEOUT_S)
_READ = aiohttp.ClientTimeout(total=None, sock_connect=INSPECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S)


class Logs:
    """The logs of one engine's containers."""

    def __init__(self, docker: aiodocker.Docker, connector: aiohttp.BaseConnector) -> None:
        self._docker = docker
        self._session = aiohttp.ClientSession(
            connector=connector, connector_owner=False, version=aiohttp.HttpVersion10, read_bufsize=BUFFER_BYTES
        )

    async def read(self, runtime_id: str, wanted: runtime.LogQuery) -> AsyncGenerator[list[log_frames.Entry], None]:
        """Entries in the order of the engine's log, as they come."""
        container = await self._inspected(runtime_id)
        frames = log_frames.Unmuxed() if container["Config"].get("Tty") else log_frames.Framed()
        driver = container["HostConfig"]["LogConfig"]["Type"]
        with docker_errors.translated(runtime.CannotReadLogsError, "read", SILENCE_TIMEOUT_S):
            async with self._asked(runtime_id, wanted, driver) as response:
                async for data in response.content.iter_any():
                    if entries := _checked(frames.feed(data), driver):
                        yield entries
                if entries := _checked(frames.finish(), driver):
                    yield entries

    async def close(self) -> None:
        """Break off what is being read."""
        await self._session.close()

    async def _inspected(self, runtime_id: str) -> Any:
        with docker_errors.translated(runtime.CannotReadLogsError, "inspected", INSPECT_TIMEOUT_S):
            async with asyncio.timeout(INSPECT_TIMEOUT_S):
                return await self._docker.containers.container(runtime_id).show()

    @contextlib.asynccontextmanager
    async def _asked(
        self, runtime_id: str, wanted: runtime.LogQuery, driver: str
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        # After an inspection the version that both speak is known.
        url = self._docker._canonicalize_url(f"containers/{runtime_id}/logs")  # noqa: SLF001 - as docker_events asks
        timeout = _FOLLOWED if wanted.follow else _READ
        async with self._session.get(url, params=_parameters(wanted), timeout=timeout) as response:
            if response.status != 200:
                message = _message(await response.read())
                if response.status == 404 or "dead or marked for removal" in message:
                    raise runtime.ContainerMissing("No container matching saved ID found")
                raise runtime.CannotReadLogsError(f"log driver {driver}: {message}")
            try:
                yield response
            finally:
                # Not released to others: what was not read would be theirs.
                response.close()


def _parameters(wanted: runtime.LogQuery) -> dict[str, str]:
    parameters = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if wanted.follow else "0"}
    for name, time_ns in (("since", wanted.since_ns), ("until", wanted.until_ns)):
        if time_ns:
            seconds, rest = divmod(time_ns, _NANOSECONDS)
            parameters[name] = f"{seconds}.{rest:09d}"
    if wanted.tail is not None:
        parameters["tail"] = str(wanted.tail)
    return parameters


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


def _checked(entries: list[log_frames.Entry], driver: str) -> list[log_frames.Entry]:
    """The entries; raises CannotReadLogsError where the engine says among them that it cannot read on."""
    if entries and entries[-1][0] == log_frames.ENGINE:
        raise runtime.CannotReadLogsError(f"log driver {driver}: {entries[-1][2].decode(errors='replace').strip()}")
    return entries
