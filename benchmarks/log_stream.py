"""One container's log, streamed to a client through the whole stack, beside `docker logs` of the same container in the same run.

Short lines are hard on both: an engine hands out its log an entry at a time. Both take turns. Memory is the most
 that agent and state-trackers have had during the streaming beyond what they had before it.
"""

import argparse
import asyncio
import contextlib
import subprocess
import time
from pathlib import Path

from benchmarks import catalogue, figures, hosts, memory
from longshore.client import client as clients
from longshore.client import following, waiting
from tests.e2e import calls, containers, stacks

MEGABYTES = 1000
ROUNDS = 2
LINE_BYTES = 100
GOAL = 0.5
WAIT_S = 1800.0


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """The figures of each way to run."""
    return [
        figure
        for stack in hosts.running(folder, options.mode)
        for figure in asyncio.run(_measure(stack, options.log_megabytes, options.log_line_bytes))
    ]


async def _measure(stack: stacks.Stack, megabytes: int, line_bytes: int) -> list[figures.Figure]:
    lines = megabytes * 1_000_000 // line_bytes
    size = lines * line_bytes
    async with stack.client() as client, asyncio.timeout(WAIT_S):
        arn = await _written(client, lines, line_bytes)
        (container,) = containers.of_task(stack.engine, arn)
        pids = _pids(stack)
        before = {name: memory.resident_mb(pid) for name, pid in pids.items()}
        for pid in pids.values():
            _forget_peak(pid)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(await asyncio.to_thread(_docker_logs, stack, container.container_id, size))
            ours.append(await _streamed(client, arn, size))
        grown = {name: _peak_mb(pid) - before[name] for name, pid in pids.items()}
        stack.engine.remove_labelled(f"{containers.TASK_ID_LABEL}={containers.id_of(arn)}")
    return [
        figures.Figure(
            name=f"{megabytes} MB of log to a client, {stack.name}",
            value=figures.median(ours),
            unit="MB/s",
            peer=figures.median(theirs),
            peer_name="docker logs",
            goal=figures.ratio_at_least(GOAL),
            samples=ours,
            peer_samples=theirs,
            notes=f"lines of {line_bytes} bytes, json-file; {ROUNDS} rounds in turns",
        ),
        figures.Figure(
            name=f"memory while it streams, {stack.name}",
            value=max(grown.values()),
            unit="MB",
            notes="growth of the process that grew most: " + ", ".join(f"{k} {v:.1f}" for k, v in grown.items()),
        ),
    ]


async def _written(client: clients.Client, lines: int, line_bytes: int) -> str:
    script = f"yes $(head -c {line_bytes - 1} /dev/zero | tr '\\0' x) | head -n {lines}"
    name = await calls.register(client, calls.definition("log-bench", script))
    arn = (await calls.run_one(client, name)).task_arn
    await waiting.follow(client, following.Follower([containers.id_of(arn)]), cluster="default")
    return arn


async def _streamed(client: clients.Client, arn: str, size: int) -> float:
    """MB/s of our client."""
    began, got = time.perf_counter(), 0
    async with contextlib.aclosing(client.logs(arn)) as outputs:
        async for output in outputs:
            got += sum(len(piece.data) for piece in output.pieces)
    assert got == size, f"{got} bytes of {size} came"
    return size / 1e6 / (time.perf_counter() - began)


def _docker_logs(stack: stacks.Stack, container: str, size: int) -> float:
    """MB/s of Docker's."""
    began, got = time.perf_counter(), 0
    command = ["docker", "--host", stack.engine.url, "logs", container]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := process.stdout.read(1024 * 1024):
            got += len(data)
    assert got == size, f"{got} bytes of {size} came"
    return size / 1e6 / (time.perf_counter() - began)


def _pids(stack: stacks.Stack) -> dict[str, int]:
    if stack.name == "embedded":
        return {"agent": memory.find(stack, "longshore.agent"), "control plane": stack.processes["up"].pid}
    names = [name for name in stack.processes if name.startswith(("agent", "state-tracker"))]
    return {name: stack.processes[name].pid for name in names}


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak_mb(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log-line-bytes", type=int, default=LINE_BYTES, help="logs: its lines, ends included")
    parser.add_argument("--log-megabytes", type=int, default=MEGABYTES, help="logs: size of what is streamed")


BENCHMARK = catalogue.Benchmark("logs", "a log streamed to a client", measure, catalogue.HOSTS, _flags)
