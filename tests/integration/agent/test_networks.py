"""Network modes, published ports, and what the containers of a task share, on a real Docker Engine (ecs.md 1.1, 1.2 and 6.8)."""

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from longshore.agent import container_names, namespaces
from longshore.v1 import task_definition_pb2, task_pb2
from tests.engines import docker, dockerd
from tests.integration.agent import conftest, definitions, fake_tracker

D = task_definition_pb2
AWSVPC = D.NETWORK_MODE_AWSVPC
BRIDGE = D.NETWORK_MODE_BRIDGE
EXITED = task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
FAILED = task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
HELLO = "exec nc -ll -p 8080 -e echo hello"
"""Answers every connection to port 8080."""
WAIT_S = 20.0
SHUTS_DOWN = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def inspected(engine: docker.DockerEngine, container: str) -> Any:
    return json.loads(engine.docker("inspect", container))[0]


def inside(engine: docker.DockerEngine, container: str, script: str) -> str:
    return engine.docker("exec", container, "sh", "-c", script)


def ids(observation: fake_tracker.Observation) -> Mapping[str, str]:
    return {container.name: container.runtime_id for container in observation.containers}


def hidden(engine: docker.DockerEngine, task: str) -> list[str]:
    """Ids of a task's pause containers."""
    filters = [f"label={container_names.TASK_ID}={task}", f"label={container_names.INTERNAL}={container_names.PAUSE}"]
    return engine.docker("ps", "-aq", "--no-trunc", *(f"--filter={text}" for text in filters)).split()


async def answer(address: str, port: int) -> str:
    """What a port says, once there is somebody behind it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection(address, port)
                text = (await reader.read()).decode().strip()
                writer.close()
            except OSError:
                text = ""
            if text:
                return text
            await asyncio.sleep(0.02)  # nothing tells when the program inside has begun to listen


# ------------------------------------------------------------------------------------------- awsvpc


@pytest.mark.usefixtures("agent")
async def test_the_containers_of_a_task_share_an_address_and_localhost_and_take_no_port_of_the_host(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    first, second = definitions.task_id(), definitions.task_id()
    mappings = [D.PortMapping(container_port=8080, host_port=8080)]
    client = "until nc 127.0.0.1 8080 </dev/null | grep hello; do sleep 0.02; done; touch /heard; exec sleep 1000"
    definition = definitions.definition(
        definitions.shell("client", client),
        definitions.shell("web", HELLO, port_mappings=mappings),
        network_mode=AWSVPC,
    )
    # The same port in both: each has its own.
    await tracker.assign(definition, first, second)
    one, other = await tracker.running(first), await tracker.running(second)
    addresses = {seen.network_interface.private_ipv4_address for seen in (one, other)}
    assert len(addresses) == 2
    assert [await answer(address, 8080) for address in addresses] == ["hello", "hello"]
    assert [container.name for container in one.containers] == ["client", "web"]
    assert not any(container.network_bindings for container in one.containers)
    assert tracker.history[first][-1] == "RUNNING"

    (pause,) = hidden(docker_engine, first)
    shown = inspected(docker_engine, pause)
    network = shown["NetworkSettings"]["Networks"][namespaces.NETWORK]
    assert (network["IPAddress"], network["MacAddress"]) == (
        one.network_interface.private_ipv4_address,
        one.network_interface.mac_address,
    )
    assert shown["Name"].startswith(f"/ecs-{definitions.FAMILY}-{definition.revision}-internalecspause-")
    for runtime_id in ids(one).values():
        container = inspected(docker_engine, runtime_id)
        assert not container["HostConfig"]["PortBindings"]
        assert container["HostConfig"]["NetworkMode"].startswith("container:")
    assert await asyncio.to_thread(inside, docker_engine, ids(one)["client"], "hostname") == pause[:12]

    await tracker.end(first, second)
    ended = await tracker.stopped(first)
    assert ended.network_interface == one.network_interface
    # Last of all: what shared it has ended before.
    ends = [inspected(docker_engine, each)["State"]["FinishedAt"] for each in (*ids(ended).values(), pause)]
    assert max(ends) == ends[-1]
    assert inspected(docker_engine, pause)["State"]["ExitCode"] == 0


@pytest.mark.usefixtures("agent")
async def test_a_task_with_an_address_has_network_controls_of_its_own(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    controls = [D.SystemControl(namespace="net.ipv4.ip_unprivileged_port_start", value="0")]
    await tracker.assign(
        definitions.definition(definitions.container(system_controls=controls), network_mode=AWSVPC), task
    )
    runtime_id = ids(await tracker.running(task))["app"]
    path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    assert await asyncio.to_thread(inside, docker_engine, runtime_id, f"cat {path}") == "0"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("loss", "how"),
    [("kill", "exit code 137"), ("rm", "ContainerVanishedError: No container matching saved ID found")],
)
async def test_a_task_that_loses_its_pause_container_stops_and_says_why(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine, loss: str, how: str
) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container(), network_mode=AWSVPC), task)
    await tracker.running(task)
    (pause,) = hidden(docker_engine, task)
    await asyncio.to_thread(docker_engine.docker, loss, *(["--force"] if loss == "rm" else []), pause)
    stopped = await tracker.stopped(task)
    assert stopped.stop_code == EXITED
    told = "The task's pause container has ended, and with it what its containers share: "
    # The engine tells of a removal by force in either way.
    assert stopped.stopped_reason in {told + how, told + "exit code 137"}
    assert [container.name for container in stopped.containers] == ["app"]


async def test_a_killed_agent_finds_address_and_pause_container_again_and_stops_both(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    kept, lost = definitions.task_id(), definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container(), network_mode=AWSVPC), kept, lost)
    before = await tracker.running(kept)
    await tracker.running(lost)
    pauses = {task: hidden(docker_engine, task) for task in (kept, lost)}
    await agent_process.end()
    await asyncio.to_thread(docker_engine.docker, "kill", *pauses[lost])
    await agent_process.start()

    assert (await tracker.stopped(lost)).stopped_reason.endswith("what its containers share: exit code 137")
    await tracker.end(kept)
    after = await tracker.stopped(kept)
    assert after.network_interface == before.network_interface
    assert tracker.history[kept][-2:] == ["RUNNING", "STOPPED"]
    # None runs any more, and none was made in the place of another.
    left = {each for task in (kept, lost) for each in hidden(docker_engine, task)}
    assert left <= {*pauses[kept], *pauses[lost]}
    assert not left & set(docker_engine.docker("ps", "-q", "--no-trunc").split())


async def test_what_is_left_of_a_pause_container_goes_with_its_task(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    async with make_agent("--cleanup-wait=1") as agent:
        await tracker.assign(definitions.definition(definitions.shell("app", "exit 0"), network_mode=AWSVPC), task)
        await tracker.stopped(task)
        assert hidden(docker_engine, task)
        async with asyncio.timeout(WAIT_S):
            while task in agent.host.tasks:  # noqa: ASYNC110 - another object's state
                await asyncio.sleep(0.05)  # the clean-up has no event
    assert docker_engine.containers(f"{container_names.TASK_ID}={task}") == []


# ------------------------------------------------------------------------------------------- processes and shared memory


@pytest.mark.usefixtures("agent")
async def test_containers_that_share_their_processes_see_each_others_and_leave_no_zombies(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    # Its child is nobody's once it has ended, and then the first process's of the namespace.
    orphan = "(sleep 0.1 & exec true) & wait; exec sleep 1000"
    await tracker.assign(
        definitions.definition(
            definitions.container("first", "sleep", "1001"),
            definitions.shell("second", orphan),
            pid_mode=D.PID_MODE_TASK,
        ),
        task,
    )
    found = ids(await tracker.running(task))
    (pause,) = hidden(docker_engine, task)
    assert inspected(docker_engine, pause)["Name"].startswith("/ecs-")
    assert (
        inspected(docker_engine, pause)["Config"]["Labels"][container_names.CONTAINER]
        == namespaces.PAUSE_WITHOUT_NETWORK
    )
    async with asyncio.timeout(WAIT_S):
        while "sleep 0.1" in (  # noqa: ASYNC110 - another program's end
            seen := await asyncio.to_thread(inside, docker_engine, found["second"], "ps -o pid,stat,args")
        ):
            await asyncio.sleep(0.05)
    lines = [line.split(None, 2) for line in seen.splitlines()[1:]]
    assert ["1", "/pause"] in [[pid, args] for pid, _, args in lines]
    assert "sleep 1001" in {args for _, _, args in lines}
    assert not [line for line in lines if line[1].startswith("Z")]
    await tracker.end(task)
    assert [container.exit_code for container in (await tracker.stopped(task)).containers] == [143, 143]


@pytest.mark.usefixtures("agent")
async def test_containers_that_share_their_memory_have_one_shm_as_large_as_the_largest_asked_for(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    large = D.LinuxParameters(shared_memory_size=96)
    await tracker.assign(
        definitions.definition(
            definitions.container("first"),
            definitions.container("second", linux_parameters=large),
            ipc_mode=D.IPC_MODE_TASK,
        ),
        task,
    )
    found = ids(await tracker.running(task))
    await asyncio.to_thread(inside, docker_engine, found["first"], "echo shared >/dev/shm/word")
    assert await asyncio.to_thread(inside, docker_engine, found["second"], "cat /dev/shm/word") == "shared"
    size = await asyncio.to_thread(inside, docker_engine, found["first"], "df -m /dev/shm | tail -n 1")
    assert size.split()[1] == "96"
    same = {
        await asyncio.to_thread(inside, docker_engine, each, "readlink /proc/self/ns/ipc") for each in found.values()
    }
    assert len(same) == 1


@pytest.mark.usefixtures("agent")
async def test_namespaces_of_the_host_and_none_at_all(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    hosts, none = definitions.task_id(), definitions.task_id()
    on_host = {"pid_mode": D.PID_MODE_HOST, "ipc_mode": D.IPC_MODE_HOST, "network_mode": D.NETWORK_MODE_HOST}
    await tracker.assign(definitions.definition(definitions.container(), **on_host), hosts)
    await tracker.assign(definitions.definition(definitions.container(), ipc_mode=D.IPC_MODE_NONE), none)
    shared = ids(await tracker.running(hosts))["app"]
    alone = ids(await tracker.running(none))["app"]
    for kind in ("pid", "ipc", "net"):
        here = await asyncio.to_thread(
            docker_engine.docker, "run", "--rm", "--pid=host", "--ipc=host", "--net=host", definitions.IMAGE,
            "readlink", f"/proc/self/ns/{kind}",
        )  # fmt: skip
        assert await asyncio.to_thread(inside, docker_engine, shared, f"readlink /proc/self/ns/{kind}") == here
        assert await asyncio.to_thread(inside, docker_engine, alone, f"readlink /proc/self/ns/{kind}") != here
    assert "/dev/shm" not in await asyncio.to_thread(inside, docker_engine, alone, "cat /proc/mounts")
    assert await asyncio.to_thread(inside, docker_engine, alone, "ls /sys/class/net") == "lo"
    assert hidden(docker_engine, hosts) == hidden(docker_engine, none) == []


# ------------------------------------------------------------------------------------------- ports of the host


@pytest.mark.usefixtures("agent")
async def test_a_host_port_leads_to_the_container_and_is_free_again_once_its_task_has_stopped(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    definition = definitions.definition(
        definitions.shell("app", HELLO, port_mappings=[D.PortMapping(container_port=8080, host_port=port)]),
        network_mode=BRIDGE,
    )
    first, second = definitions.task_id(), definitions.task_id()
    await tracker.assign(definition, first)
    seen = await tracker.running(first)
    (binding,) = seen.containers[0].network_bindings
    assert (binding.bind_ip, binding.container_port, binding.host_port) == ("127.0.0.1", 8080, port)
    assert await answer("127.0.0.1", port) == "hello"
    assert inspected(docker_engine, ids(seen)["app"])["HostConfig"]["NetworkMode"] == "bridge"
    # The second is told to start in the message that tells the first to stop no more than ECS would: after its end.
    await tracker.end(first)
    await tracker.stopped(first)
    await tracker.assign(definition, second)
    await tracker.running(second)
    assert await answer("127.0.0.1", port) == "hello"


@pytest.mark.usefixtures("agent")
async def test_a_link_leads_to_the_other_container_under_its_alias(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    await tracker.assign(
        definitions.definition(
            definitions.container("client", links=["web:backend"]), definitions.shell("web", HELLO), network_mode=BRIDGE
        ),
        task,
    )
    found = ids(await tracker.running(task))
    # The static busybox resolves no names; the engine's entry is what a resolver reads first.
    script = "address=$(awk '/backend/ {print $1; exit}' /etc/hosts); for n in 1 2 3 4 5; do nc -w 1 $address 8080 </dev/null && break; sleep 0.1; done"
    assert await asyncio.to_thread(inside, docker_engine, found["client"], script) == "hello"


@pytest.mark.usefixtures("agent")
async def test_fifty_starts_at_once_get_fifty_ports_of_the_host(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    # Ten tasks of five containers: as many ports, and a sixth of the reports.
    names = [f"app{number}" for number in range(5)]
    mapping = D.PortMapping(container_port=80)
    tasks = [definitions.task_id() for _ in range(10)]
    containers = [definitions.container(name, port_mappings=[mapping]) for name in names]
    await tracker.assign(definitions.definition(*containers, network_mode=BRIDGE), *tasks)
    told = {
        container.runtime_id: container.network_bindings[0].host_port
        for task in tasks
        for container in (await tracker.running(task)).containers
    }
    assert len(set(told.values())) == len(told) == 50
    listed = docker_engine.docker(
        "inspect", "--format", '{{.Id}} {{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', *told
    )
    assert dict(line.split() for line in listed.splitlines()) == {each: str(port) for each, port in told.items()}
    await asyncio.to_thread(docker_engine.docker, "kill", *told)


# ------------------------------------------------------------------------------------------- the engine goes away


@pytest.mark.slow
async def test_a_task_with_an_address_outlives_its_engines_death_and_a_new_one_gets_a_network_that_was_removed(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, private_docker: dockerd.PrivateDockerd
) -> None:
    kept, later = definitions.task_id(), definitions.task_id()
    definition = definitions.definition(definitions.shell("app", SHUTS_DOWN), network_mode=AWSVPC)
    async with make_agent(url=private_docker.url):
        await tracker.assign(definition, kept)
        before = await tracker.running(kept)
        await asyncio.to_thread(private_docker.kill)
        await asyncio.to_thread(private_docker.start)
        (pause,) = hidden(private_docker, kept)
        assert inspected(private_docker, pause)["State"]["Running"]
        await tracker.end(kept)
        assert (await tracker.stopped(kept)).network_interface == before.network_interface
        await asyncio.to_thread(private_docker.docker, "network", "rm", namespaces.NETWORK)
        await tracker.assign(definition, later)
        assert (await tracker.running(later)).network_interface.private_ipv4_address
        await tracker.end(later)
        await tracker.stopped(later)
