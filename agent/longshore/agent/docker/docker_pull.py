"""One call that pulls an image, as the engine's lines about it."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiodocker
import aiohttp
import aiohttp.http_exceptions

from longshore.agent import pulls

IN_STREAM = 0
"""Status of an error that came after the engine had answered 200."""


async def lines(
    docker: aiodocker.Docker, image: str, auth: Mapping[str, str] | None
) -> AsyncGenerator[Mapping[str, Any], None]:
    """What the engine tells of the pull, until it ends its answer. Leaving the generator ends the pull."""
    params = {"fromImage": image}
    if "@" not in image and pulls.repository(image) == image:
        params["tag"] = "latest"  # without any the engine would pull every tag
    headers = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(dict(auth)).encode()).decode()} if auth else {}
    unlimited = aiohttp.ClientTimeout(total=None, sock_read=None)
    # aiodocker's own pull takes credentials only with names that say their registry, takes a connection that breaks for the end of
    # the answer, and leaves it to the garbage collector to end the call; this is the request below it.
    call = docker._query("images/create", "POST", params=params, headers=headers, timeout=unlimited)  # noqa: SLF001
    async with call as response:
        try:
            while text := await _read(response.content):
                line = _parsed(text)
                if "errorDetail" in line or "error" in line:
                    detail = line.get("errorDetail") or {}
                    raise aiodocker.DockerError(IN_STREAM, str(detail.get("message") or line.get("error")))
                yield line
        finally:
            response.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The next line. A registry's words are in it, so it may be longer than anybody reads."""
    try:
        return await content.readline()
    except (ValueError, aiohttp.http_exceptions.LineTooLong) as error:
        raise aiodocker.DockerError(IN_STREAM, "the engine's answer to the pull has a line that is too long") from error


def _parsed(text: bytes) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise aiodocker.DockerError(IN_STREAM, "the engine's answer to the pull has a line that is no JSON") from error
    if not isinstance(line, dict):
        raise aiodocker.DockerError(IN_STREAM, "the engine's answer to the pull has a line that is no object")
    return line
