"""Logs when things go wrong: whoever dies or is slow, a reader gets every line once, and nobody's memory grows."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.client import client as clients
from longshore.client import following, logs
from longshore.client import waiting as reaching
from longshore.rpc import errors
from tests.e2e import calls, containers, stacks
from tests.engines import docker, dockerd

BOUND_S = 90.0
LINES = 400
BURST = 20
TALKING = (
    f"i=0; while [ $i -lt {LINES} ]; do echo line $i; echo error $i >&2; i=$((i+1));"
    f" [ $((i % {BURST})) = 0 ] && sleep 0.4; done"
)
"""Writes for some seconds, in bursts."""

FLOOD_LINES = 30_000
FLOOD = f"yes $(head -c 2000 /dev/zero | tr '\\0' x) | head -n {FLOOD_LINES}"
GROWTH_KB = 40 * 1024
"""What a process may grow by while 60 MB pass through it: buffers, windows, and an allocator's slack."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def on_private_docker(tmp_path: Path, private_docker: dockerd.PrivateDockerd) -> Iterator[stacks.Stack]:
    """An embedded stack on an engine that may be killed."""
    with stacks.running(stacks.embedded(tmp_path, private_docker)) as made:
        yield made


async def started(client: clients.Client, family: str, script: str, **container: object) -> str:
    """Run a task of one container; its ARN."""
    name = await calls.register(client, calls.definition(family, script, **container))
    return (await calls.run_one(client, name)).task_arn


def written(number: int, word: str) -> bytes:
    return b"".join(f"{word} {n}\n".encode() for n in range(number))


async def stopped(client: clients.Client, arn: str) -> None:
    """Return when a task has stopped."""
    await reaching.follow(client, following.Follower([containers.id_of(arn)]), cluster="default")


async def test_whoever_is_killed_a_reader_misses_nothing_and_gets_nothing_twice(distributed: stacks.Stack) -> None:
    """In the middle of a task's output the agent dies and comes back, then each state-tracker."""
    lost: list[errors.Unavailable] = []

    async def breakage() -> None:
        for name in ("agent", "state-tracker-1", "state-tracker-2"):
            await asyncio.to_thread(distributed.processes[name].kill)
            await asyncio.to_thread(distributed.start, name)

    async with distributed.client() as client, asyncio.timeout(BOUND_S):
        arn = await started(client, "talking", TALKING)
        found = {1: b"", 2: b""}
        breaking: asyncio.Task[None] | None = None
        async with contextlib.aclosing(client.logs(arn, follow=True, on_lost=lost.append)) as outputs:
            async for output in outputs:
                for piece in output.pieces:
                    found[piece.stream] += piece.data
                breaking = breaking or asyncio.create_task(breakage())
        assert breaking is not None
        await breaking
    assert lost, "nobody was killed under the reader"
    assert found == {1: written(LINES, "line"), 2: written(LINES, "error")}


def peak_kb(stack: stacks.Stack, name: str) -> int:
    """The most memory that a component has had, below its supervisor where it has one."""
    pid = stack.processes[name].pid
    return max(_peak_kb(one) for one in (pid, *_children(pid)))


def _children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak_kb(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


async def test_a_slow_reader_costs_nobody_memory(distributed: stacks.Stack) -> None:
    """Sixty megabytes wait in the engine until the reader takes them, whole in the end."""
    names = ("agent", "state-tracker-1", "state-tracker-2")
    async with distributed.client() as client, asyncio.timeout(BOUND_S):
        arn = await started(client, "flood", FLOOD)
        await stopped(client, arn)
        before = {name: peak_kb(distributed, name) for name in names}
        size = 0
        async with contextlib.aclosing(client.logs(arn)) as outputs:
            async for output in outputs:
                if not size:
                    await asyncio.sleep(2.0)  # the reader is slow; whoever would read ahead for it has the time to
                    grown = {name: peak_kb(distributed, name) - before[name] for name in names}
                size += sum(len(piece.data) for piece in output.pieces)
    assert size == FLOOD_LINES * 2001
    assert max(grown.values()) < GROWTH_KB, grown
    after = {name: peak_kb(distributed, name) - before[name] for name in names}
    assert max(after.values()) < GROWTH_KB, after


async def test_a_killed_engine_ends_no_reader_before_the_last_line(on_private_docker: stacks.Stack) -> None:
    """The container dies with its engine; what it had written until then is read when the engine is back."""
    engine = on_private_docker.engine
    assert isinstance(engine, dockerd.PrivateDockerd)
    async with on_private_docker.client() as client, asyncio.timeout(BOUND_S):
        arn = await started(client, "talking", TALKING.replace("sleep 0.4", "sleep 1"), stop_timeout=1)
        found = b""
        breaking: asyncio.Task[None] | None = None
        async with contextlib.aclosing(client.logs(arn, follow=True)) as outputs:
            async for output in outputs:
                found += b"".join(piece.data for piece in output.pieces if piece.stream == 1)
                breaking = breaking or asyncio.create_task(asyncio.to_thread(engine.restart))
        assert breaking is not None
        await breaking
        (container,) = containers.of_task(engine, arn)
    assert found
    assert found.decode().splitlines() == [
        line for line in engine.logs(container.container_id).splitlines() if line.startswith("line")
    ]


async def test_the_last_lines_outlive_their_container(stack: stacks.Stack, docker_engine: docker.DockerEngine) -> None:
    """Somebody removes it; what is kept is said to be that, by the library and by the command."""
    async with stack.client() as client, asyncio.timeout(BOUND_S):
        arn = await started(client, "outlived", "i=0; while [ $i -lt 70 ]; do echo $i; i=$((i+1)); done; exit 3")
        await stopped(client, arn)
        # Twice what the agent does for the last lines: by then it has them.
        for _ in range(2):
            assert {output.from_tail async for output in client.logs(arn)} == {False}
        docker_engine.remove_labelled(f"{containers.TASK_ID_LABEL}={containers.id_of(arn)}")
        outputs: list[logs.Output] = []
        while not any(output.pieces for output in outputs):  # until they are recorded; each turn asks the agent
            outputs = [output async for output in client.logs(arn)]
    found = b"".join(piece.data for output in outputs for piece in output.pieces)
    assert found == b"".join(f"{n}\n".encode() for n in range(6, 70))
    assert [(output.from_tail, output.truncated) for output in outputs] == [(True, True)]
    done = await asyncio.to_thread(stack.command, "logs", arn, "--tail", "1")
    assert done.stdout == "69\n"
