"""One contract, two engines: what the agent relies on holds for Docker and for the simulation."""

import asyncio
import ipaddress
import random
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from longshore.agent import app, pause_image, pulls, runtime, task_events
from longshore.agent.docker import docker_runtime
from longshore.agent.metadata import samples
from longshore.agent.simulated import simulated_runtime, simulated_timing
from longshore.rpc import log_cursor
from tests.integration.agent import definitions

F = task_events.Found
LABEL = "com.longshore.test"
WAIT_S = 20.0
RUNS = "trap 'exit 143' TERM; while :; do sleep 0.1; done"
INFO = runtime.EngineInfo("sim", "sim", "1", (1, 41), 2, 4 << 30, "linux", "x86_64", frozenset({"json-file"}))
WRITES = "echo one; sleep 0.05; echo two >&2; sleep 0.05; printf end"
LIVES: Mapping[str, simulated_runtime.Life] = {
    "exit 3": simulated_runtime.Life(runs_s=0.05, exit_code=3),
    WRITES: simulated_runtime.Life(runs_s=0.05, output=((1, b"one\n"), (2, b"two\n"), (1, b"end"))),
    "tail /dev/zero": simulated_runtime.Life(runs_s=0.05, exit_code=137, out_of_memory=True),
    "trap '' TERM; while :; do sleep 0.1; done": simulated_runtime.Life(ignores_stop=True),
    "trap 'exit 143' TERM; while :; do sleep 0.1; done": simulated_runtime.Life(),
    "/no/such/command": simulated_runtime.Life(start_error="/no/such/command: no such file or directory"),
}


def _life(body: Mapping[str, Any]) -> simulated_runtime.Life:
    return LIVES.get(body.get("Cmd", [""])[-1], simulated_runtime.Life())


@dataclass
class Engine:
    """A runtime and what tells this test's containers from others."""

    runtime: runtime.ContainerRuntime
    mark: str

    def body(self, script: str, **host: Any) -> dict[str, Any]:
        """A create call's body."""
        command = [script] if script.startswith("/") else ["sh", "-c", script]
        return {
            "Image": definitions.IMAGE,
            "Cmd": command,
            "Labels": {LABEL: self.mark},
            "ExposedPorts": {port: {} for port in host.get("PortBindings", ())},
            "HostConfig": {"NetworkMode": "none", **host},
        }

    async def make(self, script: str, **host: Any) -> str:
        """Create a container."""
        return await self.runtime.create(f"contract-{uuid.uuid4().hex}", self.body(script, **host))

    async def run(self, script: str, **host: Any) -> str:
        """Create and start a container."""
        runtime_id = await self.make(script, **host)
        await self.runtime.start(runtime_id)
        return runtime_id


@pytest.fixture(params=["docker", "simulated"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """Each of the runtimes in turn."""
    mark = uuid.uuid4().hex
    if request.param == "docker":
        machine = request.getfixturevalue("docker_engine")
        made: runtime.ContainerRuntime = docker_runtime.DockerRuntime(machine.url)
        yield Engine(made, mark)
        await made.close()
        machine.remove_labelled(f"{LABEL}={mark}")
        return
    made = simulated_runtime.SimulatedRuntime(
        info=INFO,
        images={definitions.IMAGE: pulls.CachedImage("sha256:1", "")},
        source=random.Random(1),
        clock=app.now_us,
        timing=simulated_timing.INSTANT,
        life=_life,
    )
    yield Engine(made, mark)
    await made.close()


async def ended(engine: Engine, runtime_id: str) -> runtime.ContainerSnapshot:
    """The container once it has ended, as the event stream tells."""
    async with asyncio.timeout(WAIT_S), aclosing(engine.runtime.events()) as stream:  # type: ignore[type-var]
        async for event in stream:
            found = await engine.runtime.inspect(runtime_id)
            if found.found is F.EXITED:
                return found
            assert isinstance(event, runtime.StreamOpened | runtime.ContainerNews)
    raise AssertionError


async def test_a_container_is_created_then_runs_then_has_ended(engine: Engine) -> None:
    runtime_id = await engine.make("exit 3")
    created = await engine.runtime.inspect(runtime_id)
    assert (created.found, created.exit_code, created.started_at) == (F.CREATED, None, 0)
    await engine.runtime.start(runtime_id)
    found = await ended(engine, runtime_id)
    assert (found.exit_code, found.out_of_memory) == (3, False)
    # Docker takes the two times in different places: of a very short life the second may be the earlier one.
    assert created.created_at <= found.started_at
    assert found.finished_at > 0


async def test_the_event_of_an_end_carries_the_exit_code(engine: Engine) -> None:
    async with asyncio.timeout(WAIT_S), aclosing(engine.runtime.events()) as stream:  # type: ignore[type-var]
        assert await anext(stream) == runtime.StreamOpened()
        runtime_id = await engine.run("exit 3")
        async for event in stream:
            if isinstance(event, runtime.ContainerNews) and (event.runtime_id, event.action) == (runtime_id, "die"):
                assert event.exit_code == 3
                return


async def test_a_name_is_taken_once(engine: Engine) -> None:
    name = f"contract-{uuid.uuid4().hex}"
    runtime_id = await engine.runtime.create(name, engine.body("exit 3"))
    with pytest.raises(runtime.NameTaken):
        await engine.runtime.create(name, engine.body("exit 3"))
    assert (await engine.runtime.inspect(name)).runtime_id == runtime_id


async def test_starting_what_runs_and_stopping_what_does_not_change_nothing(engine: Engine) -> None:
    runtime_id = await engine.make("trap 'exit 143' TERM; while :; do sleep 0.1; done")
    await engine.runtime.stop(runtime_id, 1)
    assert (await engine.runtime.inspect(runtime_id)).found is F.CREATED
    await engine.runtime.start(runtime_id)
    await engine.runtime.start(runtime_id)
    await engine.runtime.stop(runtime_id, 5)
    await engine.runtime.stop(runtime_id, 5)
    await engine.runtime.kill(runtime_id)
    assert (await engine.runtime.inspect(runtime_id)).exit_code == 143


async def test_what_ignores_its_stop_is_killed_after_the_timeout(engine: Engine) -> None:
    runtime_id = await engine.run("trap '' TERM; while :; do sleep 0.1; done")
    await engine.runtime.stop(runtime_id, 1)
    assert (await engine.runtime.inspect(runtime_id)).exit_code == 137


async def test_a_kill_for_memory_is_told(engine: Engine) -> None:
    runtime_id = await engine.run("tail /dev/zero", Memory=8 << 20)
    found = await ended(engine, runtime_id)
    assert (found.exit_code, found.out_of_memory) == (137, True)


async def test_a_command_that_does_not_exist_cannot_be_started_and_leaves_its_reason(engine: Engine) -> None:
    runtime_id = await engine.make("/no/such/command")
    with pytest.raises(runtime.CannotStartContainerError, match="no such file"):
        await engine.runtime.start(runtime_id)
    found = await engine.runtime.inspect(runtime_id)
    assert (found.found, found.exit_code) == (F.CREATED, None)
    assert "no such file" in found.error


async def test_an_image_that_is_nowhere(engine: Engine) -> None:
    image = "127.0.0.1:9/no/such:image"
    assert engine.runtime.cached_image(image) is None
    assert await engine.runtime.find_image(image) is None
    with pytest.raises(runtime.CannotPullContainerError):
        await engine.runtime.pull(image, patient=False, on_progress=lambda _: None)
    with pytest.raises(runtime.CannotCreateContainerError):
        await engine.runtime.create(f"contract-{uuid.uuid4().hex}", {**engine.body("exit 3"), "Image": image})


async def test_an_image_that_a_container_uses_is_listed_and_stays(engine: Engine) -> None:
    found = await engine.runtime.find_image(definitions.IMAGE)
    assert found is not None
    await engine.make("exit 3")
    listed = {image.image_id: image for image in await engine.runtime.list_images()}
    assert definitions.IMAGE in listed[found.image_id].tags
    assert found.image_id in await engine.runtime.used_images()
    with pytest.raises(runtime.CannotRemoveContainerError):
        # By its id alone, so that a refusal that does not come would cost no tag that others need.
        await engine.runtime.remove_image(runtime.HostImage(found.image_id))
    assert await engine.runtime.find_image(definitions.IMAGE) == found


async def test_an_image_that_is_gone_is_removed_without_an_error(engine: Engine) -> None:
    await engine.runtime.remove_image(runtime.HostImage("sha256:" + "0" * 64, tags=("longshore-tests/none:1",)))


async def test_an_image_that_is_here_without_a_registry_has_no_digest(engine: Engine) -> None:
    found = await engine.runtime.find_image(definitions.IMAGE)
    assert found is not None
    assert (found.image_id.startswith("sha256:"), found.digest) == (True, "")


async def test_a_host_port_is_had_once(engine: Engine) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    place = {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}}
    first = await engine.run("trap 'exit 143' TERM; while :; do sleep 0.1; done", **place)
    second = await engine.make("trap 'exit 143' TERM; while :; do sleep 0.1; done", **place)
    with pytest.raises(runtime.PortTaken, match=port):
        await engine.runtime.start(second)
    assert [binding.host_port for binding in (await engine.runtime.inspect(first)).bindings] == [int(port)]
    await engine.runtime.stop(first, 5)
    await engine.runtime.start(second)


async def test_listing_by_label_shows_ours_and_whether_they_run(engine: Engine) -> None:
    created = await engine.make("exit 3")
    running = await engine.run("trap 'exit 143' TERM; while :; do sleep 0.1; done")
    listed = {item.runtime_id: item.running for item in await engine.runtime.list_labelled(LABEL, engine.mark)}
    assert listed == {created: False, running: True}
    assert await engine.runtime.list_labelled(LABEL, "somebody else") == []


async def test_removal_is_for_what_does_not_run_and_may_be_repeated(engine: Engine) -> None:
    runtime_id = await engine.run("trap '' TERM; while :; do sleep 0.1; done")
    with pytest.raises(runtime.CannotRemoveContainerError):
        await engine.runtime.remove(runtime_id)
    await engine.runtime.kill(runtime_id)
    await engine.runtime.remove(runtime_id)
    await engine.runtime.remove(runtime_id)
    await engine.runtime.remove_volume(f"contract-{uuid.uuid4().hex}")


async def test_a_volume_is_made_once_and_not_under_another_driver(engine: Engine) -> None:
    name = f"contract-{uuid.uuid4().hex}"
    assert await engine.runtime.find_volume(name) is None
    for _ in range(2):
        await engine.runtime.create_volume(name, "local", {}, {LABEL: engine.mark})
    assert await engine.runtime.find_volume(name) == runtime.VolumeDetails("local", {}, {LABEL: engine.mark})
    listed = await engine.runtime.list_volumes(LABEL, engine.mark)
    assert listed == [runtime.VolumeSummary(name, {LABEL: engine.mark})]
    with pytest.raises(runtime.CannotCreateContainerError):
        await engine.runtime.create_volume(name, "another", {}, {})
    await engine.runtime.remove_volume(name)
    assert await engine.runtime.find_volume(name) is None


@dataclass
class Network:
    """A network of the test's own."""

    name: str
    device: str
    subnet: str

    def config(self, mark: str) -> dict[str, Any]:
        """Body of the call that makes it."""
        return {
            "Labels": {LABEL: mark},
            "Options": {"com.docker.network.bridge.name": self.device},
            "IPAM": {"Config": [{"Subnet": self.subnet}]},
        }


@pytest.fixture
async def network(engine: Engine) -> AsyncIterator[Network]:
    """A network, gone after the test with what the test has left on it."""
    digits = uuid.uuid4().hex
    # Outside the pools that engines choose from.
    made = Network(f"contract-{digits}", f"ct-{digits[:8]}", f"198.19.{int(digits[:2], 16)}.0/24")
    await engine.runtime.create_network(made.name, made.config(engine.mark))
    yield made
    for container in await engine.runtime.list_labelled(LABEL, engine.mark):
        await engine.runtime.kill(container.runtime_id)
    await engine.runtime.remove_network(made.name)


async def test_a_network_is_made_once_by_its_name_and_its_device_and_found_again(
    engine: Engine, network: Network
) -> None:
    found = await engine.runtime.find_network(network.name)
    assert found is not None
    assert (found.name, found.labels[LABEL], found.subnets) == (network.name, engine.mark, (network.subnet,))
    assert await engine.runtime.find_network(network.name[:-1]) is None
    await engine.runtime.create_network(network.name, network.config("another"))
    assert await engine.runtime.find_network(network.name) == found
    other = f"{network.name}-x"
    with pytest.raises(runtime.CannotCreateNetworkError):
        await engine.runtime.create_network(other, {**network.config(engine.mark), "IPAM": {}})
    assert await engine.runtime.find_network(other) is None


async def test_a_container_has_an_address_on_its_network_while_it_runs_and_the_network_stays_as_long(
    engine: Engine, network: Network
) -> None:
    runtime_id = await engine.make(RUNS, NetworkMode=network.name)
    assert (await engine.runtime.inspect(runtime_id)).address(network.name) is None
    await engine.runtime.start(runtime_id)
    place = (await engine.runtime.inspect(runtime_id)).address(network.name)
    assert place is not None
    assert ipaddress.ip_address(place.ipv4) in ipaddress.ip_network(network.subnet)
    assert len(place.mac.split(":")) == 6
    with pytest.raises(runtime.CannotRemoveContainerError, match="active endpoints"):
        await engine.runtime.remove_network(network.name)
    await engine.runtime.kill(runtime_id)
    assert (await engine.runtime.inspect(runtime_id)).address(network.name) is None
    for _ in range(2):
        await engine.runtime.remove_network(network.name)
    with pytest.raises(runtime.NetworkMissing, match=f"network {network.name} not found"):
        await engine.run(RUNS, NetworkMode=network.name)


async def test_a_container_joins_what_another_one_has_by_its_name_while_that_runs(
    engine: Engine, network: Network
) -> None:
    name = f"contract-{uuid.uuid4().hex}"
    body = engine.body(RUNS, NetworkMode=network.name, IpcMode="shareable")
    first = await engine.runtime.create(name, body)
    joined = f"container:{name}"
    modes = {"NetworkMode": joined, "PidMode": joined, "IpcMode": joined}
    second = await engine.make(RUNS, **modes)
    with pytest.raises(runtime.CannotStartContainerError):
        await engine.runtime.start(second)
    await engine.runtime.start(first)
    third = await engine.run(RUNS, **modes)
    assert (await engine.runtime.inspect(third)).found is F.RUNNING
    assert (await engine.runtime.inspect(third)).address(network.name) is None


async def test_an_image_is_loaded_from_an_archive_as_often_as_one_likes(engine: Engine) -> None:
    machine = (await engine.runtime.describe()).architecture
    image = pause_image.image(machine)
    assert image is not None
    for _ in range(2):
        await engine.runtime.load_image(image.archive)
    assert await engine.runtime.find_image(image.name) is not None
    body = {"Image": image.name, "Labels": {LABEL: engine.mark}, "HostConfig": {"NetworkMode": "none"}}
    runtime_id = await engine.runtime.create(f"contract-{uuid.uuid4().hex}", body)
    await engine.runtime.start(runtime_id)
    assert (await engine.runtime.inspect(runtime_id)).found is F.RUNNING
    await engine.runtime.stop(runtime_id, 5)
    assert (await engine.runtime.inspect(runtime_id)).found is F.EXITED


@pytest.mark.parametrize("call", ["start", "kill", "inspect"])
async def test_a_container_that_is_not_there_is_missing(engine: Engine, call: str) -> None:
    with pytest.raises(runtime.ContainerMissing):
        await getattr(engine.runtime, call)("f" * 64)


async def test_the_engine_describes_its_host(engine: Engine) -> None:
    found = await engine.runtime.describe()
    assert found.cpus > 0
    assert found.memory_bytes > 1 << 28
    assert found.os_type == "linux"
    assert found.api_version >= (1, 24)
    assert "json-file" in found.logging_drivers


async def read(engine: Engine, runtime_id: str, **wanted: Any) -> list[tuple[int, bytes]]:
    """Streams and bytes of a container's log."""
    async with (
        asyncio.timeout(WAIT_S),
        aclosing(engine.runtime.logs(runtime_id, runtime.LogQuery(**wanted))) as batches,
    ):
        return [(stream, data) async for batch in batches for stream, _, data in batch]


async def test_a_log_is_read_whole_and_in_order_while_its_container_runs_and_after(engine: Engine) -> None:
    runtime_id = await engine.run(WRITES)
    followed = await read(engine, runtime_id, follow=True)
    await ended(engine, runtime_id)
    entries = [entry async for batch in engine.runtime.logs(runtime_id, runtime.LogQuery()) for entry in batch]
    whole = [(stream, data) for stream, _, data in entries]
    # Each stream is in order; a busy Docker may take up one's line before the other's earlier one.
    assert [data for stream, data in whole if stream == 1] == [b"one\n", b"end"]
    assert [data for stream, data in whole if stream == 2] == [b"two\n"]
    # What has no end of line Docker may keep from a follower; it is there once the container has ended.
    assert followed == whole[: len(followed)]
    assert len(followed) >= 2
    assert await read(engine, runtime_id, tail=1) == whole[-1:]
    assert await read(engine, runtime_id, tail=0) == []
    times = [log_cursor.nanoseconds(entry[1]) for entry in entries]
    newest = [item for item, at in zip(whole, times, strict=True) if at >= times[-1]]
    assert await read(engine, runtime_id, since_ns=times[-1]) == newest
    assert await read(engine, runtime_id, until_ns=min(times) - 1) == []


async def test_a_log_that_is_not_kept_names_its_driver_and_one_that_is_gone_its_container(engine: Engine) -> None:
    runtime_id = await engine.run("exit 3", LogConfig={"Type": "none"})
    with pytest.raises(runtime.CannotReadLogsError, match="log driver none: "):
        await read(engine, runtime_id)
    await ended(engine, runtime_id)
    await engine.runtime.remove(runtime_id)
    with pytest.raises(runtime.ContainerMissing):
        await read(engine, runtime_id)


async def test_statistics_count_what_a_running_container_uses_and_nothing_of_one_that_does_not_run(
    engine: Engine,
) -> None:
    runtime_id = await engine.make("trap 'exit 143' TERM; while :; do sleep 0.1; done", Memory=32 << 20)
    assert samples.of_docker(await engine.runtime.statistics(runtime_id)) is None
    await engine.runtime.start(runtime_id)
    first = samples.of_docker(await engine.runtime.statistics(runtime_id))
    assert first is not None
    async with asyncio.timeout(WAIT_S):
        while (later := samples.of_docker(await engine.runtime.statistics(runtime_id))) is None or (  # noqa: ASYNC110 - no event tells
            later.cpu_ns <= first.cpu_ns
        ):
            await asyncio.sleep(0.05)
    assert (later.memory_limit, later.network) == (32 << 20, None)
    assert later.pids >= 1
    assert 0 < later.memory_used < 32 << 20
    await engine.runtime.kill(runtime_id)
    with pytest.raises(runtime.ContainerMissing):
        await engine.runtime.statistics("f" * 64)


async def test_a_network_is_made_once_and_goes_once(engine: Engine) -> None:
    name = f"contract-{uuid.uuid4().hex}"
    config = {"Driver": "bridge", "IPAM": {"Config": [{"Subnet": "169.254.170.136/30", "Gateway": "169.254.170.138"}]}}
    for _ in range(2):
        await engine.runtime.create_network(name, config)
    for _ in range(2):
        await engine.runtime.remove_network(name)
