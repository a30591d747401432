"""What happens when the engine's answers are lost, late or wrong: over a simulated host, so that each can be brought about."""

import asyncio
from collections.abc import Callable

import pytest

from longshore.agent import (
    container_names,
    engine,
    pull_progress,
    pulls,
    reports,
    runtime,
    stored,
    task_events,
    task_limits,
)
from longshore.agent.simulated import simulated_runtime
from longshore.v1 import agent_service_pb2, task_definition_pb2, task_pb2
from tests.integration.agent import definitions, engine_bench

AWAY = runtime.EngineUnavailable("connection reset")
SLOW = runtime.DockerTimeoutError("Could not transition to started; timed out after waiting 3m0s")
BRIDGE = task_definition_pb2.NETWORK_MODE_BRIDGE


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are none here: their length is the backoff's own test."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S"):
        monkeypatch.setattr(f"longshore.agent.launching.{name}", 0.001)
    for name in ("longshore.agent.stopping", "longshore.agent.watching"):
        monkeypatch.setattr(f"{name}._FIRST_PAUSE_S", 0.001)
        monkeypatch.setattr(f"{name}._LONGEST_PAUSE_S", 0.001)


async def test_an_image_without_a_registry_is_never_pulled_and_takes_no_turn_of_the_loop() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        assert bench.runtime.calls == ["create", "start"]


async def test_a_failed_pull_falls_back_to_the_image_that_is_here() -> None:
    async with engine_bench.bench(images={definitions.IMAGE: pulls.CachedImage("sha256:1", "sha256:old")}) as bench:
        await bench.assign("a")
        found = await bench.running("a")
        assert bench.runtime.calls == ["pull", "create", "start"]
        assert found.containers[0].image_digest == "sha256:old"


async def test_a_pulled_image_is_the_one_that_runs() -> None:
    registry = {definitions.IMAGE: pulls.CachedImage("sha256:2", "sha256:new")}
    async with engine_bench.bench(images={}, registry=registry) as bench:
        await bench.assign("a")
        found = await bench.running("a")
        assert found.containers[0].image_digest == "sha256:new"
        assert found.HasField("pull_stopped_at")


async def test_a_pull_that_takes_its_time_is_told_of_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_progress, "QUIET_S", 0.0)
    monkeypatch.setattr(pull_progress, "PACE_S", 0.0)
    registry = {definitions.IMAGE: pulls.CachedImage("sha256:2", "sha256:new")}
    async with engine_bench.bench(images={}, registry=registry) as bench:
        seen: list[float] = []

        def note() -> bool:
            found = bench.host.observe("a")
            if found is not None and found.containers[0].HasField("pull_progress"):
                progress = found.containers[0].pull_progress
                seen.append(progress.downloaded_bytes / progress.total_bytes)
            return found is not None and found.last_status == task_pb2.TASK_STATUS_RUNNING

        await bench.assign("a")
        await bench.until(note)
        assert seen
        assert seen == sorted(seen)


async def test_always_means_that_a_failed_pull_fails_the_task() -> None:
    images = {definitions.IMAGE: pulls.CachedImage("sha256:1", "sha256:old")}
    async with engine_bench.bench(images=images, behavior=pulls.Behavior.ALWAYS) as bench:
        await bench.assign("a")
        assert (await bench.stopped("a")).containers[0].reason.startswith("CannotPullContainerError")


async def test_a_create_whose_answer_was_lost_is_not_made_twice() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.after["create"] = [AWAY]
        await bench.assign("a")
        await bench.running("a")
        assert bench.runtime.calls == ["create", "create", "start"]
        assert len(await bench.runtime.list_labelled(container_names.TASK_ID, "a")) == 1


async def test_a_name_that_is_taken_by_nobody_yet_is_tried_again() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.before["create"] = [runtime.NameTaken("in use by container x")] * 3
        await bench.assign("a")
        await bench.running("a")
        assert bench.runtime.calls == ["create", "create", "create", "create", "start"]


async def test_a_name_that_stays_taken_by_nobody_fails_the_task_in_words() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.before["create"] = [runtime.NameTaken("in use by container x")] * 100
        await bench.assign("a")
        reason = (await bench.stopped("a")).containers[0].reason
        assert reason.startswith("CannotCreateContainerError: the name ecs-")
        assert reason.endswith("is taken by a container that cannot be found")


async def test_a_start_whose_answer_was_lost_is_not_repeated() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.after["start"] = [AWAY]
        await bench.assign("a")
        await bench.running("a")
        assert bench.runtime.calls == ["create", "start"]


async def test_a_start_that_never_reached_the_engine_is_repeated() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.before["start"] = [AWAY, AWAY]
        await bench.assign("a")
        await bench.running("a")
        assert bench.runtime.calls == ["create", "start", "start", "start"]


async def test_a_container_that_ran_and_ended_while_the_answer_was_lost_is_not_started_again() -> None:
    async with engine_bench.bench(life=lambda _: simulated_runtime.Life(runs_s=0.0, exit_code=9)) as bench:
        bench.runtime.after["start"] = [AWAY]
        await bench.assign("a")
        assert (await bench.stopped("a")).containers[0].exit_code == 9
        assert bench.runtime.calls.count("start") == 1


async def test_a_start_that_took_too_long_is_stopped_before_the_task_is_released() -> None:
    async with engine_bench.bench() as bench:
        bench.runtime.after["start"] = [SLOW]
        await bench.assign("a")
        found = await bench.stopped("a")
        assert found.containers[0].reason == SLOW.reason
        assert bench.runtime.calls == ["create", "start", "stop"]
        assert not any(item.running for item in await bench.runtime.list_labelled(container_names.TASK_ID, "a"))


async def test_a_stop_is_repeated_until_the_engine_confirms() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        bench.runtime.before["stop"] = [AWAY, runtime.CannotStopContainerError("busy")]
        await bench.end("a")
        assert (await bench.stopped("a")).containers[0].exit_code == 143
        assert bench.runtime.calls.count("stop") == 3


async def test_a_stop_without_an_answer_becomes_a_kill() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        bench.runtime.before["stop"] = [SLOW]
        await bench.end("a")
        assert (await bench.stopped("a")).containers[0].exit_code == 137


async def test_fifty_starts_at_once_get_fifty_different_ports() -> None:
    mapping = task_definition_pb2.PortMapping(container_port=80)
    definition = definitions.definition(definitions.container(port_mappings=[mapping]), network_mode=BRIDGE)
    tasks = [f"task-{number}" for number in range(50)]
    async with engine_bench.bench() as bench:
        await bench.assign(*tasks, definition=definition)
        found = [await bench.running(task) for task in tasks]
        assert len({observation.containers[0].network_bindings[0].host_port for observation in found}) == 50


async def test_a_dynamic_port_that_somebody_took_is_replaced_and_given_back_later() -> None:
    mapping = task_definition_pb2.PortMapping(container_port=80)
    definition = definitions.definition(definitions.container(port_mappings=[mapping]), network_mode=BRIDGE)
    async with engine_bench.bench(dynamic=range(40_000, 40_002)) as bench:
        bench.runtime.before["start"] = [runtime.PortTaken("Bind for 0.0.0.0:40000 failed: port is already allocated")]
        await bench.assign("a", definition=definition)
        assert (await bench.running("a")).containers[0].network_bindings[0].host_port == 40_001
        assert len(await bench.runtime.list_labelled(container_names.TASK_ID, "a")) == 1
        await bench.end("a")
        await bench.stopped("a")
        await bench.assign("b", "c", definition=definition)
        found = {(await bench.running(task)).containers[0].network_bindings[0].host_port for task in ("b", "c")}
        assert found == {40_000, 40_001}


async def test_a_dynamic_port_that_is_always_taken_fails_the_start() -> None:
    mapping = task_definition_pb2.PortMapping(container_port=80)
    definition = definitions.definition(definitions.container(port_mappings=[mapping]), network_mode=BRIDGE)
    async with engine_bench.bench() as bench:
        bench.runtime.before["start"] = [runtime.PortTaken("port is already allocated") for _ in range(9)]
        await bench.assign("a", definition=definition)
        assert (await bench.stopped("a")).containers[0].reason.startswith("CannotStartContainerError: ")


async def test_a_container_removed_behind_our_back_has_vanished() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        runtime_id = (await bench.running("a")).containers[0].runtime_id
        del bench.runtime._containers[runtime_id]
        await bench.watcher.reconcile()
        assert (await bench.stopped("a")).containers[0].reason.startswith("ContainerVanishedError")


async def test_an_end_whose_event_was_lost_is_found_by_looking_again() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        runtime_id = (await bench.running("a")).containers[0].runtime_id
        listeners, bench.runtime._listeners = bench.runtime._listeners, []
        await bench.runtime.kill(runtime_id)
        bench.runtime._listeners = listeners
        await bench.watcher.reconcile()
        assert (await bench.stopped("a")).containers[0].exit_code == 137


async def test_a_definition_that_cannot_be_honoured_is_refused_in_words() -> None:
    definition = definitions.definition(definitions.container(), cpu="256")
    async with engine_bench.bench() as bench:
        await bench.assign("a", definition=definition)
        found = await bench.stopped("a")
        assert found.stop_code == task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
        assert found.containers[0].reason == (
            "CannotCreateContainerError: cpu and memory of a whole task cannot be limited on this host"
        )
        assert bench.runtime.calls == []


async def test_a_container_whose_task_is_unknown_waits_for_a_full_set_and_is_taken_over_or_ended() -> None:
    async with engine_bench.bench() as first:
        await first.assign("kept", "gone", "stopping")
        kept = (await first.running("kept")).containers[0].runtime_id
        await first.running("gone")
        await first.running("stopping")
    definition = first.host.tasks["kept"].definition.message
    async with engine_bench.bench(used=first.runtime) as second:
        assert bool(second.host.orphans)
        message = agent_service_pb2.Assignment(base_revision=0, revision=9)
        key = f"{definition.family}:{definition.revision}"
        message.definitions.add(key=key, task_definition=definition)
        message.tasks.add(task_id="kept", definition_key=key, cluster="default")
        message.tasks.add(task_id="stopping", definition_key=key, cluster="default", stopping=True)
        await second.host.apply([message])
        assert (await second.running("kept")).containers[0].runtime_id == kept
        await second.until(lambda: second.host.reports.due and not second.host.orphans)
        assert await second.runtime.list_labelled(container_names.TASK_ID, "gone") == []
        assert await second.runtime.list_labelled(container_names.TASK_ID, "stopping") == []
        assert second.runtime.calls.count("start") == 3 + 1  # Docker's start of what runs changes nothing


async def test_what_was_settled_before_a_restart_is_cleaned_up_and_not_reported() -> None:
    task = agent_service_pb2.AssignedTask(task_id="a", definition_key="agent-test:1", cluster="default")
    observation = agent_service_pb2.TaskObservation(
        task_id="a", last_status=task_pb2.TASK_STATUS_STOPPED, released=True
    )
    observation.containers.add(name="app", last_status=task_pb2.CONTAINER_STATUS_STOPPED, exit_code=0)
    before = stored.Stored(
        revision=3,
        definitions={"agent-test:1": definitions.definition(definitions.container())},
        tasks=(stored.StoredTask(task, observation, stopping=False, acknowledged=True, stopped_at=5),),
    )
    async with engine_bench.bench(before=before) as bench:
        assert bench.settled == ["a"]
        assert bench.host.reports.settled
        assert bench.host.tasks["a"].state.stopped_at == 5


def written(task_id: str, definition: task_definition_pb2.TaskDefinition, *, stopping: bool = False) -> stored.Stored:
    """A state file that knows a task's assignment and nothing more of it."""
    key = f"{definition.family}:{definition.revision}"
    assigned = agent_service_pb2.AssignedTask(task_id=task_id, definition_key=key, cluster="default")
    task = stored.StoredTask(assigned, None, stopping=stopping, acknowledged=False, stopped_at=0)
    return stored.Stored(revision=1, definitions={key: definition}, tasks=(task,))


async def test_a_task_that_was_to_stop_when_the_agent_died_is_not_started_by_its_return() -> None:
    before = written("a", definitions.definition(definitions.container()), stopping=True)
    async with engine_bench.bench(before=before) as bench:
        await bench.stopped("a")
        assert bench.runtime.calls == []


async def test_a_task_that_was_to_be_refused_when_the_agent_died_is_refused_on_its_return() -> None:
    before = written("a", definitions.definition(definitions.container(), cpu="256"))
    async with engine_bench.bench(before=before) as bench:
        assert "cannot be limited on this host" in (await bench.stopped("a")).containers[0].reason
        assert bench.runtime.calls == []


async def test_a_task_written_down_and_not_begun_is_begun() -> None:
    async with engine_bench.bench(before=written("a", definitions.definition(definitions.container()))) as bench:
        await bench.running("a")
        assert bench.runtime.calls == ["create", "start"]


async def test_a_container_that_a_former_agent_made_is_not_started_without_its_tasks_limits() -> None:
    class Groups(simulated_runtime.SimulatedGroups):
        async def limit(self, task_id: str, limits: task_limits.TaskLimits) -> None:
            seen.append((task_id, limits.memory_mib, list(used.calls)))

    definition = definitions.definition(definitions.container(), memory="64")
    seen: list[tuple[str, int, list[str]]] = []
    async with engine_bench.bench(groups=Groups()) as first:
        used = first.runtime
        # Its start is refused as long as it takes the agent to die, and the host with it.
        used.before["start"] = [runtime.EngineUnavailable("gone")] * 1000
        await first.assign("a", definition=definition)
        async with asyncio.timeout(10):
            while "start" not in used.calls:  # noqa: ASYNC110 - the runtime does not tell
                await asyncio.sleep(0)
    used.before.clear()
    used.calls.clear()
    seen.clear()
    async with engine_bench.bench(used=used, before=written("a", definition), groups=Groups()) as second:
        await second.running("a")
    assert seen == [("a", 64, [])]
    assert used.calls == ["start"]


async def test_containers_made_under_another_home_are_found_by_name() -> None:
    definition = definitions.definition(definitions.container())
    async with engine_bench.bench() as first:
        await first.assign("a", definition=definition)
        runtime_id = (await first.running("a")).containers[0].runtime_id
    first.runtime._containers[runtime_id].body["Labels"][container_names.HOME] = "elsewhere"
    first.runtime._containers[runtime_id].body["Labels"][container_names.INSTANCE] = "unknown"
    async with engine_bench.bench(used=first.runtime, before=written("a", definition)) as second:
        assert (await second.running("a")).containers[0].runtime_id == runtime_id
        assert second.runtime.calls == ["create", "start"]


@pytest.mark.parametrize("acknowledge", [True, False])
async def test_a_task_is_settled_once_its_release_is_recorded(acknowledge: bool) -> None:  # noqa: FBT001
    async with engine_bench.bench(life=lambda _: simulated_runtime.Life(runs_s=0.0)) as bench:
        await bench.assign("a")
        await bench.stopped("a")
        report = bench.host.reports.next(bench.host.observe)
        assert report is not None
        if acknowledge:
            bench.host.confirm(bench.host.reports.acknowledge(report.number))
            bench.host.confirm(bench.host.reports.acknowledge(report.number))
        assert bench.settled == (["a"] if acknowledge else [])


async def test_a_lost_identity_stops_its_tasks_and_reports_nothing_more() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        bench.host.disown()
        await bench.host.drained()
        assert bench.host.observe("a") is None
        assert bench.host.reports.settled
        assert bench.settled == ["a"]
        assert not any(item.running for item in await bench.runtime.list_labelled(container_names.TASK_ID, "a"))


async def test_a_hundred_tasks_come_and_go_and_leave_nothing_behind() -> None:
    lives: Callable[[object], simulated_runtime.Life] = lambda _: simulated_runtime.Life(runs_s=0.01, exit_code=1)  # noqa: E731
    async with engine_bench.bench(life=lives) as bench:
        tasks = [f"task-{number}" for number in range(100)]
        await asyncio.gather(bench.assign(*tasks[:50]))
        await bench.assign(*tasks[50:])
        await bench.end(*tasks[:20])
        for task in tasks:
            await bench.stopped(task)
        assert bench.runtime.calls.count("start") <= 100


def test_refusals_keep_ecss_own_names() -> None:
    assert engine.refusal("TaskDependencyError: a circle").startswith("TaskDependencyError: ")
    assert engine.refusal("networkMode awsvpc: no").startswith("CannotCreateContainerError: ")


async def test_what_is_assigned_while_the_host_leaves_is_stopped_too_and_its_end_is_waited_for() -> None:
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        bench.host.leave("the host leaves")
        await bench.assign("b")
        for task_id in ("a", "b"):
            found = await bench.stopped(task_id)
            assert found.stop_code == task_pb2.TASK_STOP_CODE_TERMINATION_NOTICE
            assert found.stopped_reason == "the host leaves"
        assert (bench.host.running, bench.host.untold) == (0, 2)
        bench.host.confirm([reports.Acknowledged("a", released=True), reports.Acknowledged("b", released=True)])
        assert bench.host.untold == 0


async def test_a_container_that_the_engine_no_longer_knows_to_have_run_is_gone() -> None:
    """Found by the drill: the disk was full when the engine should have written down that it runs (tests/chaos/README.md)."""
    async with engine_bench.bench() as bench:
        await bench.assign("a")
        await bench.running("a")
        (forgotten,) = bench.runtime._containers.values()
        forgotten.found = task_events.Found.CREATED
        await bench.watcher.reconcile()
        stopped = await bench.stopped("a")
        assert stopped.containers[0].reason.startswith("ContainerVanishedError")
        assert not stopped.containers[0].HasField("exit_code")
