"""The state-tracker as a process of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore.rpc import channels, errors
from longshore.storage import database
from longshore.v1 import state_tracker_service_pb2, state_tracker_service_pb2_grpc
from tests.engines import ports

BOUND_S = 30.0


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "longshore.state_tracker",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if not key.startswith("LONGSHORE_")},
    )


async def test_it_serves_and_leaves_on_sigterm(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/state.db"
    await (await database.open_database(url)).close()
    address = f"127.0.0.1:{ports.free_port()}"
    process = await start("--database-url", url, "--listen", address)
    try:
        async with asyncio.timeout(BOUND_S), channels.connect(address) as channel:
            await channel.channel_ready()
            stub: Any = state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)
            with pytest.raises(errors.ClusterNotFoundException):
                await stub.ListTasks(state_tracker_service_pb2.ListTasksRequest(cluster="nowhere"))
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(BOUND_S):
            _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")


async def test_wrong_settings_are_told_in_lines_not_in_traces() -> None:
    process = await start("--agent-lease", "1", "--agent-heartbeat", "2", "--database-url", "sqlite:///x")
    async with asyncio.timeout(BOUND_S):
        _, stderr = await process.communicate()
    assert process.returncode == 2
    assert b"at least twice LONGSHORE_AGENT_HEARTBEAT" in stderr
    assert b"Traceback" not in stderr
