"""A server whose callers open connections and say nothing goes on answering those who ask."""

import asyncio

import aiohttp
from aiohttp import web

from longshore.agent.metadata import metadata_address, web_connections

MOST = 4


async def test_the_oldest_connection_makes_room_for_the_newest() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    served = web_connections.Connections(runner, most=MOST)
    await served.serve(metadata_address.bound("127.0.0.1", 0))
    host, port = served.addresses[0]
    silent = [await asyncio.open_connection(host, port) for _ in range(3 * MOST)]
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as response:
            assert await response.text() == "here"
        async with asyncio.timeout(10):
            for reader, _ in silent[: 2 * MOST + 1]:
                assert await reader.read() == b""
        assert runner.server is not None
        assert len(runner.server.connections) <= MOST
    finally:
        for _, writer in silent:
            writer.close()
        served.close()
        await runner.cleanup()
