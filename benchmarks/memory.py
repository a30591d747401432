"""Resident memory of an idle agent over its base, and of the idle control plane.

The base is a process with the agent's third-party imports and both of its connections open (the engine's socket and a channel to a
state-tracker), measured in the same run: what any asyncio gRPC agent in Python costs.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import figures
from tests.e2e import stacks

SETTLE_S = 10.0
"""Time for garbage of the start to be given back, for both processes alike."""

BASE = """
import asyncio, sys
import aiodocker, aiohttp.web, grpc, grpc.aio, structlog, sqlite3
from grpc_health.v1 import health_pb2, health_pb2_grpc
from longshore.v1 import agent_service_pb2_grpc, registry_service_pb2_grpc, state_tracker_service_pb2_grpc

async def main(address):
    async with aiodocker.Docker() as docker, grpc.aio.insecure_channel(address) as channel:
        await docker.version()
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


def measure(stack: stacks.Stack) -> list[figures.Figure]:
    """The agent's and the control plane's figures, of a distributed or an embedded stack that is idle."""
    with base(stack) as base_mb:
        agent_mb = resident_mb(find(stack, "longshore.agent"))
        found = [
            figures.Figure(
                name="agent idle",
                value=agent_mb,
                unit="MB",
                peer=base_mb,
                peer_name="base: same imports, both connections",
                goal=figures.more_at_most(8, "MB"),
            )
        ]
    if stack.name == "embedded":
        value = resident_mb(find(stack, "longshore.embedded"))
        found.append(figures.Figure(name="control plane idle (embedded)", value=value, unit="MB"))
    return found


@contextlib.contextmanager
def base(stack: stacks.Stack) -> Iterator[float]:
    """Resident memory of the base, which runs for the time of the block, once it has settled."""
    process = subprocess.Popen(
        [sys.executable, "-c", BASE, stack.addresses.state_tracker[0]], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(SETTLE_S)
        yield resident_mb(process.pid)
    finally:
        process.kill()
        process.wait()


def find(stack: stacks.Stack, module: str) -> int:
    """Pid of the stack's process of a module: the one whose environment or arguments name the stack's folder."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        named = str(stack.folder).encode()
        if (
            module.encode() in command
            and b"python" in command[0]
            and (named in environment or named in b" ".join(command))
        ):
            return int(process.name)
    raise LookupError(module)


def resident_mb(pid: int) -> float:
    """Resident set of a process, 0 for this one, in MB of a million bytes."""
    for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(pid)
