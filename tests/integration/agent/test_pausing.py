"""The pause image and the network of tasks on a host that others change too: made, shared, lost, made again. On a simulated engine."""

import asyncio
import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import app, container_names, namespaces, pausing, pulls, runtime
from longshore.agent.metadata import introspection, sampling, task_metadata
from longshore.agent.settings import config
from longshore.agent.simulated import simulated_runtime, simulated_timing
from longshore.v1 import task_definition_pb2, task_pb2
from tests.integration.agent import definitions, engine_bench

AWSVPC = task_definition_pb2.NETWORK_MODE_AWSVPC
BOTH = pausing.Offered(namespaces=True, addresses=True)


def engine(**changes: Any) -> simulated_runtime.SimulatedRuntime:
    return simulated_runtime.SimulatedRuntime(
        info=dataclasses.replace(engine_bench.INFO, **changes),
        images={definitions.IMAGE: pulls.CachedImage("sha256:1", "")},
        source=random.Random(1),
        clock=app.now_us,
        timing=simulated_timing.INSTANT,
    )


async def prepared(host: simulated_runtime.SimulatedRuntime, **settings: Any) -> pausing.Offered:
    return await pausing.Pausing(host, await host.describe(), **settings).prepare()


async def test_two_agents_share_one_image_and_one_network() -> None:
    host = engine()
    assert set(await asyncio.gather(prepared(host), prepared(host))) == {BOTH}
    found = await host.find_network(namespaces.NETWORK)
    assert found is not None
    assert found.labels == {container_names.INTERNAL: namespaces.NETWORK_LABEL}


async def test_the_operator_may_choose_the_subnet() -> None:
    host = engine()
    assert await prepared(host, subnet="10.9.0.0/24") == BOTH
    found = await host.find_network(namespaces.NETWORK)
    assert found is not None
    assert found.subnets == ("10.9.0.0/24",)
    # Another choice later changes nothing of what tasks may be using.
    assert await prepared(host, subnet="10.8.0.0/24") == BOTH


async def test_a_network_of_that_name_that_is_not_ours_is_left_alone_and_no_addresses_are_offered() -> None:
    host = engine()
    await host.create_network(namespaces.NETWORK, {"Labels": {"of": "somebody"}})
    assert await prepared(host) == pausing.Offered(namespaces=True, addresses=False)
    pauses = pausing.Pausing(host, await host.describe())
    await pauses.remove_network()
    assert await host.find_network(namespaces.NETWORK) is not None


async def test_a_processor_without_a_pause_program_offers_nothing_and_says_so_to_a_task_that_comes_all_the_same() -> (
    None
):
    assert await prepared(engine(architecture="riscv64")) == pausing.NOTHING
    used = engine_bench.FaultyRuntime(
        info=dataclasses.replace(engine_bench.INFO, architecture="riscv64"),
        images={definitions.IMAGE: pulls.CachedImage("sha256:1", "")},
        source=random.Random(1),
        clock=app.now_us,
        timing=simulated_timing.INSTANT,
    )
    async with engine_bench.bench(used=used) as bench:
        task = definitions.task_id()
        await bench.assign(task, definition=definitions.definition(definitions.container(), network_mode=AWSVPC))
        stopped = await bench.stopped(task)
        assert stopped.stop_code == task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
        assert stopped.stopped_reason == (
            "Task failed to start: CannotPullContainerError: there is no pause program for the processor riscv64"
        )


async def test_an_engine_that_goes_away_meanwhile_is_no_engine_without_networks() -> None:
    class Away(simulated_runtime.SimulatedRuntime):
        async def find_network(self, name: str) -> runtime.NetworkSummary | None:
            raise runtime.EngineUnavailable(f"asked for {name}")

    away = Away(
        info=engine_bench.INFO, images={}, source=random.Random(1), clock=app.now_us, timing=simulated_timing.INSTANT
    )
    with pytest.raises(runtime.EngineUnavailable):
        await prepared(away)


async def test_image_and_network_that_somebody_removed_are_made_again_for_the_next_task() -> None:
    async with engine_bench.bench() as bench:
        assert await bench.host.pausing.prepare() == BOTH
        for lost in range(2):
            if lost:
                await bench.host.pausing.remove_network()
                (image,) = [
                    found for found in await bench.runtime.list_images() if bench.host.pausing.image in found.tags
                ]
                await bench.runtime.remove_image(image)
            task = definitions.task_id()
            await bench.assign(task, definition=definitions.definition(definitions.container(), network_mode=AWSVPC))
            assert (await bench.running(task)).network_interface.private_ipv4_address.startswith("10.88.")
            await bench.end(task)
            await bench.stopped(task)
            for container in bench.host.tasks[task].state.containers:
                await bench.runtime.remove(container.runtime_id)


async def test_a_network_in_use_stays_and_goes_once_nobody_uses_it() -> None:
    async with engine_bench.bench() as bench:
        task = definitions.task_id()
        await bench.assign(task, definition=definitions.definition(definitions.container(), network_mode=AWSVPC))
        await bench.running(task)
        await bench.host.pausing.remove_network()
        assert await bench.runtime.find_network(namespaces.NETWORK) is not None
        await bench.end(task)
        await bench.stopped(task)
        await bench.host.pausing.remove_network()
        assert await bench.runtime.find_network(namespaces.NETWORK) is None


@pytest.mark.parametrize("last", [False, True])
async def test_the_network_outlives_the_agent_unless_it_was_told_that_it_is_the_last(
    tmp_path: Path,
    last: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    host = engine()
    settings = config.Config(
        state_dir=tmp_path,
        introspection_port=0,
        registry=("127.0.0.1:1",),
        state_tracker=("127.0.0.1:1",),
        task_metadata_address="none",
    )
    groups = simulated_runtime.SimulatedGroups()
    async with app.serving(settings, environ={}, version="1", container_runtime=host, task_groups=groups):
        if last:
            (tmp_path / app.LAST_FILE).touch()
        assert await host.find_network(namespaces.NETWORK) is not None
    assert (await host.find_network(namespaces.NETWORK) is None) is last


async def test_a_task_all_of_whose_containers_have_ended_unseen_stops_for_one_that_people_know() -> None:
    async with engine_bench.bench() as bench:
        task = definitions.task_id()
        await bench.assign(task, definition=definitions.definition(definitions.container(), network_mode=AWSVPC))
        await bench.running(task)
        listeners, bench.runtime._listeners = bench.runtime._listeners, []
        for container in bench.host.tasks[task].state.containers:
            await bench.runtime.kill(container.runtime_id)
        bench.runtime._listeners = listeners
        await bench.watcher.reconcile()
        stopped = await bench.stopped(task)
        assert stopped.stopped_reason == "Essential container in task exited"


async def test_nobody_who_asks_about_the_task_is_told_of_its_pause_container() -> None:
    async with engine_bench.bench() as bench:
        task = definitions.task_id()
        await bench.assign(task, definition=definitions.definition(definitions.container(), network_mode=AWSVPC))
        seen = await bench.running(task)
        record, owner = bench.host.tasks[task], bench.host.owner
        assert [container.name for container in seen.containers] == ["app"]
        assert [shown["Name"] for shown in introspection.task(owner, record, {})["Containers"]] == ["app"]
        (shown,) = task_metadata.containers(owner, record, {}, version=4)
        address = seen.network_interface.private_ipv4_address
        assert (shown["Name"], shown["Networks"][0]["NetworkMode"]) == ("app", "awsvpc")
        assert shown["Networks"][0]["IPv4Addresses"] == [address]
        assert [target.container for target in sampling.targets_of(bench.host, record)] == ["app"]
