"""When things go wrong: what was acknowledged holds, containers go on, each task runs once, and everything converges."""

import asyncio
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.client import waiting as following
from longshore.rpc import errors
from longshore.v1 import task_pb2
from tests.e2e import calls, containers, stacks, waits
from tests.engines import docker, dockerd, postgres, redis, waiting

SHORT = "sleep 2; exit 5"
LONG = "sleep 600"
AWAY_S = 20.0
"""How long Redis is away."""

LOAD_PAUSE_S = 0.5

CALLS = 20
KILLED_AFTER = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def mortal(tmp_path: Path, docker_engine: docker.DockerEngine) -> Iterator[stacks.Stack]:
    """An embedded stack, to be killed."""
    with stacks.running(stacks.embedded(tmp_path, docker_engine)) as made:
        yield made


@pytest.fixture
def on_private_docker(tmp_path: Path, private_docker: dockerd.PrivateDockerd) -> Iterator[stacks.Stack]:
    """An embedded stack on an engine that may be restarted."""
    with stacks.running(stacks.embedded(tmp_path, private_docker)) as made:
        yield made


def assert_ran_once(stack: stacks.Stack, arns: list[str], exit_code: int) -> None:
    """The engine has exactly one container for each task, never restarted, with that exit code; so says the control plane."""

    async def told() -> list[task_pb2.Task]:
        async with stack.client() as client:
            return await following.describe(client, "default", arns)

    for task in asyncio.run(told()):
        assert [container.exit_code for container in task.containers] == [exit_code], task
    for arn, found in containers.of_tasks(stack.engine, arns).items():
        assert [(one.running, one.exit_code, one.restart_count) for one in found] == [(False, exit_code, 0)], arn


def test_kill_of_everything_amid_twenty_calls_loses_nothing(mortal: stacks.Stack) -> None:
    """Kill -9 of the embedded process: every answered task exists and reaches its end once, and capacity adds up."""
    answered: list[str] = []

    async def load() -> None:
        async with mortal.client(deadline_s=1.0) as client:
            name = await calls.register(client, calls.definition("killed", SHORT))

            async def one() -> None:
                answered.append((await calls.run_one(client, name)).task_arn)
                if len(answered) == KILLED_AFTER:
                    mortal.processes["up"].kill()

            ended = await asyncio.gather(*(one() for _ in range(CALLS)), return_exceptions=True)
            assert {type(end) for end in ended} <= {type(None), errors.Unavailable}, ended

    asyncio.run(load())
    assert len(answered) >= KILLED_AFTER
    mortal.start("up")
    waits.until_stopped(mortal, answered)
    waits.until_idle(mortal)
    assert_ran_once(mortal, answered, 5)


def test_containers_go_on_while_everything_is_dead(mortal: stacks.Stack) -> None:
    """Kill -9 of control plane and agent: the container is neither stopped nor restarted, and is found again."""

    async def place() -> str:
        async with mortal.client() as client:
            name = await calls.register(client, calls.definition("going", LONG, stop_timeout=1))
            return (await calls.run_one(client, name)).task_arn

    arn = asyncio.run(place())
    waits.until_running(mortal, [arn])
    before = containers.of_task(mortal.engine, arn)
    mortal.processes["up"].kill()
    assert containers.of_task(mortal.engine, arn) == before
    mortal.start("up")
    mortal.command("stop", arn)
    waits.until_stopped(mortal, [arn])
    (after,) = containers.of_task(mortal.engine, arn)
    assert (after.started_at, after.running) == (before[0].started_at, False)


def test_an_agent_killed_finds_its_containers_again(distributed: stacks.Stack) -> None:
    """Kill -9 of the agent: what ran goes on, what ended meanwhile has its exit code, nothing is started again."""

    async def place() -> tuple[str, str]:
        async with distributed.client() as client:
            long = await calls.register(client, calls.definition("long", LONG, stop_timeout=1))
            short = await calls.register(client, calls.definition("short", "sleep 3; exit 5"))
            return (await calls.run_one(client, long)).task_arn, (await calls.run_one(client, short)).task_arn

    long, short = asyncio.run(place())
    waits.until_running(distributed, [long, short])
    distributed.processes["agent"].kill()
    before = containers.of_task(distributed.engine, long)
    (ending,) = containers.of_task(distributed.engine, short)
    distributed.engine.docker("wait", ending.container_id)
    distributed.start("agent")
    waits.until_stopped(distributed, [short])
    assert_ran_once(distributed, [short], 5)
    assert containers.of_task(distributed.engine, long) == before
    assert calls.task(distributed, short)["containers"][0]["exitCode"] == 5
    distributed.command("stop", long)
    waits.until_stopped(distributed, [long])


async def light_load(stack: stacks.Stack, name: str, stop: asyncio.Event) -> list[str]:
    """Run a short task every now and then until told to stop; the ARNs of those that were answered."""
    answered: list[str] = []
    async with stack.client(deadline_s=40.0) as client:
        while not stop.is_set():
            try:
                answered.append((await calls.run_one(client, name)).task_arn)
            except errors.Unavailable as error:
                assert error.message, "an UNAVAILABLE that does not say why"  # noqa: PT017 - the load goes on
            try:
                async with asyncio.timeout(LOAD_PAUSE_S):
                    await stop.wait()
            except TimeoutError:
                continue
    return answered


def broken_meanwhile(stack: stacks.Stack, breakage: Callable[[], None]) -> list[str]:
    """Run a light load while something is broken; what was answered, all of which has ended once."""

    async def load() -> list[str]:
        async with stack.client() as client:
            name = await calls.register(client, calls.definition("steady", "exit 5"))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(light_load(stack, name, stop))
            await asyncio.to_thread(breakage)
            stop.set()
        return loading.result()

    answered = asyncio.run(load())
    assert answered
    waits.until_stopped(stack, answered)
    waits.until_idle(stack)
    assert_ran_once(stack, answered, 5)
    return answered


def test_without_redis_everything_works(distributed: stacks.Stack, redis_session: redis.RedisServer) -> None:
    """Redis stopped for 20 s: calls are answered, tasks run and end, nothing is lost."""

    def breakage() -> None:
        redis_session.stop()
        try:
            threading.Event().wait(AWAY_S)
        finally:
            redis_session.start()

    answered = broken_meanwhile(distributed, breakage)
    assert len(answered) >= AWAY_S / 2 / LOAD_PAUSE_S, "calls were held up"


def test_a_restart_of_postgresql_loses_no_answered_task(
    distributed: stacks.Stack, postgres: postgres.PostgresServer
) -> None:
    """PostgreSQL restarted under load: what was answered has run once; what was not said UNAVAILABLE."""
    broken_meanwhile(distributed, postgres.restart)


def test_a_restart_of_docker_loses_no_task(on_private_docker: stacks.Stack) -> None:
    """The engine restarted under load: what was answered has run once, as soon as the engine is back."""
    engine = on_private_docker.engine
    assert isinstance(engine, dockerd.PrivateDockerd)
    broken_meanwhile(on_private_docker, engine.restart)


def test_two_agents_with_one_identity_do_not_run_a_task_twice(distributed: stacks.Stack) -> None:
    """A cloned disk: the newer of two agents with one identity speaks for it, the older yields, and tasks run once."""
    distributed.processes["agent"].stop()
    twins = ("twin-1", "twin-2")
    try:
        for twin, address in zip(twins, distributed.addresses.state_tracker, strict=True):
            shutil.copytree(distributed.folder / "agent", distributed.folder / twin)
            # Each through a tracker of its own: the older hears of the newer through the log alone.
            stacks.add_agent(distributed, twin, environ={"LONGSHORE_STATE_TRACKER": address})
            distributed.start(twin)
        yielded = "Agent process [0-9a-f]{32} speaks for container instance"
        waiting.until(lambda: said(distributed, twins, yielded), within_s=30, what="one of them yields")

        async def place() -> list[str]:
            async with distributed.client() as client:
                name = await calls.register(client, calls.definition("twice", "exit 5"))
                return [(await calls.run_one(client, name)).task_arn for _ in range(5)]

        arns = asyncio.run(place())
        waits.until_stopped(distributed, arns)
        assert_ran_once(distributed, arns, 5)
    finally:
        for twin in twins:
            if twin in distributed.processes:
                distributed.processes.pop(twin).stop()
        distributed.start("agent")


def said(stack: stacks.Stack, names: tuple[str, ...], pattern: str) -> bool:
    """Whether the log of any of these says something."""
    return any(re.search(pattern, (stack.folder / f"{name}.log").read_text()) for name in names)
