"""What an engine may answer to a pull that no agent may die of: a registry's own words are in it, of any length."""

import json

import aiodocker
import pytest
from aiohttp import web

from longshore.agent.docker import docker_pull

LONG = json.dumps({"errorDetail": {"message": "x" * 1_000_000}}).encode() + b"\n"


@pytest.mark.parametrize("answer", [LONG, b'{"status": "Pulling', b"[]\n", b"\xff\xfe\n", b'{"error": "no"}\n'])
async def test_an_answer_that_cannot_be_read_is_a_refusal(answer: bytes) -> None:
    async def pull(_: web.Request) -> web.Response:
        return web.Response(body=answer)

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41"})

    application = web.Application()
    application.router.add_get("/version", version)
    application.router.add_route("*", "/{path:.*}", pull)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    docker = aiodocker.Docker(f"http://{host}:{port}")
    try:
        with pytest.raises(aiodocker.DockerError):
            async for _ in docker_pull.lines(docker, "r.io/a:1", None):
                pass
    finally:
        await docker.close()
        await runner.cleanup()
