"""The agent as a whole: joining, introspection, cleaning up, and saying what is wrong."""

import asyncio
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from longshore.agent import app, container_names, registration
from longshore.agent import process as main
from longshore.agent.metadata import introspection
from longshore.agent.settings import config
from longshore.rpc import loops, settings
from longshore.v1 import task_definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, cut_line, definitions, fake_tracker

CAPABILITY = "com.amazonaws.ecs.capability."


async def test_the_host_registers_its_real_resources_and_makes_the_default_cluster(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    tracker.clusters.clear()
    async with make_agent("--instance-attributes=stack=blue", "--instance-tags=team=harbour"):
        await tracker.until(lambda: bool(tracker.hellos), "a session")
    request = tracker.registrations[-1]
    cpus, memory = json.loads(docker_engine.docker("info", "--format", "[{{.NCPU}}, {{.MemTotal}}]"))
    found = {resource.name: resource for resource in request.total_resources}
    assert found["CPU"].integer_value == cpus * 1024
    assert found["MEMORY"].integer_value == memory // 1024 // 1024
    attributes = {attribute.name: attribute.value for attribute in request.attributes}
    assert attributes["stack"] == "blue"
    assert f"{CAPABILITY}logging-driver.json-file" in attributes
    assert [(tag.key, tag.value) for tag in request.tags] == [("team", "harbour")]
    assert tracker.clusters == {"default"}


async def test_a_cluster_that_does_not_exist_is_named_and_ends_the_agent(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    async with make_agent("--cluster=blue") as agent:
        with pytest.raises(loops.LoopFailedError) as caught:
            await agent.wait()
    assert isinstance(caught.value.__cause__, registration.Refused)
    assert "longshore cluster create blue" in str(caught.value.__cause__)


async def test_a_state_of_another_cluster_is_refused(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    async with make_agent():
        await tracker.until(lambda: bool(tracker.hellos), "a session")
    tracker.clusters.add("blue")
    async with make_agent("--cluster=blue") as agent:
        with pytest.raises(loops.LoopFailedError) as caught:
            await agent.wait()
    assert "belongs to cluster default" in str(caught.value.__cause__)


def given(tmp_path: Path, arn_id: str) -> tuple[str, str]:
    """Flags that give an agent an instance to take over."""
    path = tmp_path / "credential"
    path.write_text(f"{fake_tracker.CREDENTIAL}\n", encoding="ascii")
    arn = f"arn:aws:ecs:us-east-1:123456789012:container-instance/default/{arn_id}"
    return f"--container-instance-arn={arn}", f"--instance-credential-file={path}"


async def test_an_instance_that_was_registered_without_an_agent_is_taken_over(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, tmp_path: Path
) -> None:
    tracker.instance = 1
    flags = given(tmp_path, tracker.instance_id)
    async with make_agent(*flags):
        await tracker.until(lambda: len(tracker.hellos) == 1, "a session")
    async with make_agent(*flags):  # now the state folder says who it is
        await tracker.until(lambda: len(tracker.hellos) == 2, "a second session")
    assert tracker.instance == 1
    assert {hello.container_instance_id for hello in tracker.hellos} == {tracker.instance_id}
    assert {hello.instance_credential for hello in tracker.hellos} == {fake_tracker.CREDENTIAL}
    assert {request.container_instance_arn[-32:] for request in tracker.registrations} == {tracker.instance_id}


async def test_an_instance_that_is_not_there_is_not_replaced_by_another_one(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, tmp_path: Path
) -> None:
    async with make_agent(*given(tmp_path, "7" * 32)) as agent:
        with pytest.raises(loops.LoopFailedError) as caught:
            await agent.wait()
    assert isinstance(caught.value.__cause__, registration.Refused)
    assert "cannot be taken over" in str(caught.value.__cause__)
    assert tracker.instance == 0


async def test_something_is_sent_in_every_heartbeat_interval(
    tracker: fake_tracker.FakeTracker, agent: app.Agent
) -> None:
    await tracker.until(lambda: bool(tracker.hellos), "a session")
    seen = tracker.heartbeats
    async with asyncio.timeout(fake_tracker.HEARTBEAT_MS / 1000 * 8):
        await tracker.until(lambda: tracker.heartbeats >= seen + 3, "three heartbeats")


async def test_what_is_left_of_a_task_goes_after_the_wait(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = definitions.task_id()
    mount = task_definition_pb2.MountPoint(source_volume="scratch", container_path="/data")
    definition = definitions.definition(
        definitions.shell("app", "exit 0", mount_points=[mount]),
        volumes=[task_definition_pb2.Volume(name="scratch")],
    )
    gone = asyncio.Event()
    async with make_agent("--cleanup-wait=1") as agent:
        forget = agent.host.store.forget

        async def forgotten(task_ids: Iterable[str]) -> None:
            await forget(task_ids)
            gone.set()

        monkeypatch.setattr(agent.host.store, "forget", forgotten)
        await tracker.assign(definition, task)
        await tracker.stopped(task)
        async with asyncio.timeout(20):
            await gone.wait()
        assert docker_engine.containers(f"com.longshore.task-id={task}") == []
        names = container_names.TaskNames(task, "default", definition.family, definition.revision)
        volume = container_names.volume_name(names, "scratch")
        assert volume not in docker_engine.docker("volume", "ls", "--quiet").split()
        assert (await agent.host.store.load()).tasks == ()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for introspection."""
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: aiohttp.ClientSession, agent: app.Agent, path: str) -> tuple[int, Any]:
    """An answer of introspection."""
    async with http.get(f"http://127.0.0.1:{agent.introspection_port}{path}") as answer:
        return answer.status, await answer.json()


async def test_introspection_tells_when_each_task_passed_which_hop(
    tracker: fake_tracker.FakeTracker, agent: app.Agent, http: aiohttp.ClientSession
) -> None:
    first, second = definitions.task_id(), definitions.task_id()
    began = time.time()
    await tracker.assign(definitions.definition(definitions.container()), first, second)
    await tracker.running(first)
    await tracker.running(second)
    ended = time.time()

    _, found = await get(http, agent, "/v1/timings")

    assert [one.pop("TaskId") for one in found["Timings"]] == [first, second]
    for moments in found["Timings"]:
        assert list(moments) == ["ReceivedAt", "CreateCalledAt", "CreatedAt", "StartedAt", "ReportedAt"]
        passed = [datetime.fromisoformat(at).timestamp() for at in moments.values()]
        assert [began, *passed, ended] == sorted([began, *passed, ended])


async def test_a_taken_introspection_port_is_named_with_the_way_out(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(introspection.PortInUseError, match=f"port {port} .* --introspection-port"):
            async with make_agent(f"--introspection-port={port}"):
                pass


async def test_what_happened_while_the_line_to_the_engine_was_cut_is_looked_up(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    tmp_path: Path,
) -> None:
    line = cut_line.CutLine(tmp_path, docker_engine.url)
    await line.mend()
    ended, removed, later = (definitions.task_id() for _ in range(3))
    definition = definitions.definition(definitions.container())
    async with make_agent(url=line.url):
        await tracker.assign(definition, ended, removed)
        ids = [(await tracker.running(task)).containers[0].runtime_id for task in (ended, removed)]
        await line.cut()
        docker_engine.docker("kill", ids[0])
        docker_engine.docker("rm", "--force", ids[1])
        await tracker.assign(definition, later)
        await tracker.until(lambda: tracker.acknowledged == tracker.revision, "the acknowledgement")
        await line.mend()
        assert (await tracker.stopped(ended)).containers[0].exit_code == 137
        await tracker.stopped(removed)
        await tracker.running(later)
    await line.cut()


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--docker-host=unix:///nowhere/docker.sock"], 5, "apt-get install docker.io"),
        (["--docker-host=tcp://127.0.0.1:9"], 1, "No Docker Engine answers at tcp://127.0.0.1:9"),
        (["--nonsense"], 2, "--nonsense is not a flag"),
        (["--reserved-memory=999999999"], 5, "MiB of memory are reserved"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out_and_without_a_trace(
    flags: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    docker_engine: object,
) -> None:
    # The set-up of a whole process's log would outlast this test: loggers keep the first one they are used under.
    monkeypatch.setattr("longshore.rpc.logs.configure", lambda **_: None)
    argv = [f"--state-dir={tmp_path}/agent", "--introspection-port=0", *flags]
    assert main.main(argv, {}) == status
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


async def test_two_agents_on_one_folder_are_told_apart(
    tracker: fake_tracker.FakeTracker, agent: app.Agent, state_dir: Path, docker_engine: docker.DockerEngine
) -> None:
    parsed = settings.parse(config.Config, conftest.flags(tracker, state_dir, docker_engine.url), {})
    with pytest.raises(Exception, match="used by another agent"):
        async with app.serving(parsed, environ={}, version="0", source=random.Random(1)):
            pass
