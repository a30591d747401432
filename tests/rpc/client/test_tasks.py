"""What a program does with the client, against a whole Longshore: run, wait, watch, list, be refused, and the same without await."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from longshore.client import Client, NeverRanError, NotPlacedError, addresses, blocking, context, errors, results
from longshore.v1 import registry_service_pb2, scheduler_service_pb2
from tests.conformance import world
from tests.engines import ports
from tests.rpc.client import cutting

BOUND_S = 30.0
UNKNOWN = "f" * 32


def definition(family: str, *command: str, image: str = world.IMAGE, **members: Any) -> dict[str, Any]:
    container = {"name": "app", "image": image, "memory": 16, "command": list(command), "essential": True}
    return {"family": family, "containerDefinitions": [container | members]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.World]:
    with world.running(tmp_path_factory.mktemp("stack")) as made:
        yield made


def at(stack: world.World, **replaced: str) -> addresses.Addresses:
    told = dict(stack.at) | replaced
    return addresses.Addresses((told["registry"],), (told["scheduler"],), (told["state_tracker"],))


@pytest.fixture
async def longshore(stack: world.World) -> AsyncIterator[Client]:
    async with asyncio.timeout(BOUND_S), Client(addresses=at(stack)) as client:
        yield client


async def test_a_run_is_waited_for_to_its_exit_code_containers_and_reason(longshore: Client) -> None:
    run = await longshore.run(definition("ends", "exit", "7"), wait=True)

    assert (run.task_definition, run.exit_code, run.reason) == ("ends:1", 7, "Essential container in task exited")
    assert (run.task.last_status, run.task.stop_code, run.task.ran) == ("STOPPED", "EssentialContainerExited", True)
    assert run.task.containers == (results.Container("app", "STOPPED", 7, "", False),)


async def test_what_is_registered_runs_by_its_name_with_what_differs(longshore: Client) -> None:
    made = await longshore.register(definition("again", "exit", "1"))
    again = await longshore.run("again", command=["exit", "4"], env={"A": "1"}, tags={"team": "web"}, wait=True)
    (described,) = await longshore.describe_tasks(again)

    assert (await longshore.register("again:1")).task_definition_arn == made.task_definition_arn
    assert again.exit_code == 4
    assert [(tag.key, tag.value) for tag in described.tags] == [("team", "web")]
    with pytest.raises(errors.ClientException, match="'nothing' is neither a file nor registered"):
        await longshore.run("nothing")


async def test_many_tasks_are_run_and_listed_however_many_pages_they_are(longshore: Client) -> None:
    run = await longshore.run(definition("many", cpu=1, memory=4), count=120, started_by="many-test")
    await longshore.wait_tasks_running(run)
    listed = {task.task_arn.rpartition("/")[2] async for task in longshore.tasks(started_by="many-test")}

    assert listed == {task.task_id for task in run.tasks}
    assert len(listed) == 120
    assert len(await longshore.describe_tasks([task.task_id for task in run.tasks])) == 120
    for task in run.tasks:
        await longshore.stop(task, reason="seen enough")
    ended = await longshore.wait_tasks_stopped(run)
    assert {task.reason for task in ended} == {"seen enough"}


async def test_clusters_instances_and_definitions_are_listed(longshore: Client) -> None:
    await longshore.register(definition("listed"))

    assert [cluster.cluster_name async for cluster in longshore.clusters()] == ["default"]
    assert len([instance async for instance in longshore.container_instances()]) == 2
    none = longshore.container_instances(filter_="attribute:nowhere exists")
    assert [instance async for instance in none] == []
    assert [arn.rpartition("/")[2] async for arn in longshore.task_definitions(family="listed")] == ["listed:1"]


async def test_what_fits_nowhere_is_refused_with_its_numbers(longshore: Client) -> None:
    with pytest.raises(NotPlacedError, match="needs 65536 CPU units") as caught:
        await longshore.run(definition("too-big", cpu=65536))
    assert caught.value.reason == "RESOURCE:CPU"
    assert len(caught.value.failures) == 2


async def test_of_some_that_fit_the_others_are_in_the_failures(longshore: Client) -> None:
    run = await longshore.run(definition("partly", cpu=2048), count=10)

    assert (len(run.tasks), {failure.reason for failure in run.failures}) == (4, {"RESOURCE:CPU"})
    for task in run.tasks:
        await longshore.stop(task)
    await longshore.wait_tasks_stopped(run)


async def test_a_task_that_never_ran_ends_the_wait_for_it_and_says_why(longshore: Client) -> None:
    run = await longshore.run(definition("imageless", image=world.MISSING_IMAGE))

    with pytest.raises(NeverRanError, match="CannotPullContainerError") as caught:
        await longshore.wait_tasks_running(run)
    (task,) = caught.value.tasks
    assert (task.stop_code, task.exit_code, task.ran) == ("TaskFailedToStart", 125, False)


async def test_a_task_that_has_run_and_ended_counts_as_having_come_to_run(longshore: Client) -> None:
    run = await longshore.run(definition("short", "exit", "0"), wait=True)

    (found,) = await longshore.wait_tasks_running(run.task)
    assert (found.last_status, found.ran, found.exit_code) == ("STOPPED", True, 0)


async def test_a_wait_that_comes_too_late_for_the_events_knows_the_exit_code(longshore: Client) -> None:
    run = await longshore.run(definition("late", "exit", "5"), wait=True)
    (described,) = await longshore.describe_tasks(run)

    for name in (run.task.task_id, described.task_arn, [run.task]):
        (found,) = await longshore.wait_tasks_stopped(name)
        assert (found.exit_code, found.reason) == (5, "Essential container in task exited")


async def test_a_wait_for_a_task_that_there_is_not_says_so(longshore: Client) -> None:
    with pytest.raises(errors.ResourceNotFoundException, match=UNKNOWN):
        await longshore.wait_tasks_stopped(UNKNOWN)


async def test_a_wait_is_given_up_at_its_deadline_and_says_how_the_task_is(longshore: Client) -> None:
    run = await longshore.run(definition("goes-on"))
    await longshore.wait_tasks_running(run)

    with pytest.raises(errors.DeadlineExceeded, match=rf"{run.task.task_id} is (PENDING|RUNNING)\.$"):
        await longshore.wait_tasks_stopped(run, deadline_s=0.01)
    with pytest.raises(errors.DeadlineExceeded, match=rf"{run.task.task_id} is RUNNING\.$"):
        await longshore.wait_tasks_stopped(run.task, deadline_s=0.01)
    await longshore.stop(run.task)
    changes: list[str] = []
    await longshore.wait_tasks_stopped(run, on_change=lambda task: changes.append(task.last_status))
    assert (changes[0], changes[-1]) == ("RUNNING", "STOPPED")


async def test_the_events_of_a_run_are_its_whole_story_and_end_with_it(longshore: Client) -> None:
    run = await longshore.run(definition("told", "exit", "0"), count=3)
    told = [event async for event in longshore.events(run)]

    assert {event.task.task_id for event in told} == {task.task_id for task in run.tasks}
    assert [event.sequence for event in told] == sorted({event.sequence for event in told})
    versions = [event.task.version for event in told if event.task.task_id == run.tasks[0].task_id]
    assert versions == list(range(2, len(versions) + 2))  # the first was its placement


async def test_events_go_on_over_connections_that_are_cut_none_missing_and_none_twice(stack: world.World) -> None:
    async with (
        asyncio.timeout(BOUND_S),
        cutting.before(stack.at["state_tracker"]) as proxy,
        Client(addresses=at(stack)) as straight,
        Client(addresses=at(stack, state_tracker=proxy.address)) as through,
    ):
        answer = await straight.run(definition("cut", "exit", "0"), count=8)
        lost: list[str] = []
        heard: list[int] = []
        cuts = 0
        watch = through.events(cursor=answer.cursor, on_lost=lambda error: lost.append(error.reason))
        async with aclosing(watch) as events:
            async for event in events:
                heard.append(event.sequence)
                if len(heard) % 8 == 0:  # each of the eight tasks that were run last has an event at least: its end
                    if len(lost) == 5:
                        break
                    if len(lost) == cuts:
                        cuts += proxy.cut()
                    await straight.run("cut", count=8)
        assert heard == list(range(heard[0], heard[0] + len(heard)))
        assert (cuts, set(lost), proxy.accepted) == (5, {"Unavailable"}, 6)


async def test_calls_of_a_block_have_one_request_id_and_so_has_an_error(longshore: Client) -> None:
    run = await longshore.run(definition("named"))
    with context.request("deploy-4711") as request_id:
        await longshore.stop(run.task)
        with pytest.raises(errors.ClusterNotFoundException) as caught:
            await longshore.run("named", cluster="nope")
    causes = {event.request_id async for event in longshore.events(run)}

    assert (request_id, caught.value.request_id) == ("deploy-4711", "deploy-4711")
    assert causes == {"", "deploy-4711"}
    with pytest.raises(errors.ClientException) as other, context.request() as made:
        await longshore.register("nothing")
    assert other.value.request_id == made
    with pytest.raises(ValueError, match="printable ASCII"), context.request("no\nlines"):
        pass


async def test_a_client_that_is_not_open_says_how_to_open_it(stack: world.World) -> None:
    closed = Client(addresses=at(stack))
    with pytest.raises(RuntimeError, match="async with Client"):
        await closed.run("web")
    with pytest.raises(RuntimeError, match="with Client"):
        blocking.Client(addresses=at(stack)).run("web")


async def test_a_wrong_address_is_told_instead_of_sought_for_ever(stack: world.World) -> None:
    nowhere = f"127.0.0.1:{ports.free_port()}"
    async with Client(addresses=at(stack, state_tracker=nowhere), deadline_s=0.5) as longshore:
        with pytest.raises(errors.Unavailable):
            await anext(longshore.events())
        with pytest.raises(errors.Unavailable):
            await anext(longshore.lines(UNKNOWN))


async def test_what_is_meant_for_one_task_says_so_to_several(longshore: Client) -> None:
    run = await longshore.run(definition("several", "exit", "0"), count=2, wait=True)

    for attempt in (longshore.stop(run), anext(longshore.lines(run))):
        with pytest.raises(ValueError, match="the run has 2"):
            await attempt
    with pytest.raises(ValueError, match="2 tasks, not one"):
        _ = run.task
    assert run.exit_code == 0


def test_ctrl_c_ends_a_wait_and_the_client_goes_on(stack: world.World) -> None:
    nowhere = f"127.0.0.1:{ports.free_port()}"
    with blocking.Client(addresses=at(stack, state_tracker=nowhere)) as longshore:

        def interrupt(_: errors.Unavailable) -> None:
            os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            next(longshore.events(on_lost=interrupt))
        assert [cluster.cluster_name for cluster in longshore.clusters()] == ["default"]


def test_without_await_everything_is_the_same(stack: world.World) -> None:
    with blocking.Client(addresses=at(stack)) as longshore:
        other = longshore.run(definition("stopped"))
        with context.request("from-a-thread"):
            longshore.stop(other.task)
        told = list(longshore.events(other))
        run = longshore.run(definition("blocking", "exit", "7"), count=2)
        ended = longshore.wait_tasks_stopped(run)
        answer = longshore.call(longshore.registry.ListClusters, registry_service_pb2.ListClustersRequest())

        assert {event.request_id for event in told} == {"", "from-a-thread"}
        assert [task.exit_code for task in ended] == [7, 7]
        assert (
            answer.cluster_arns
            == next(
                longshore.pages(longshore.registry.ListClusters, registry_service_pb2.ListClustersRequest())
            ).cluster_arns
        )
        assert [task.task_arn for task in longshore.tasks(stopped=True, family="blocking")]
        with pytest.raises(NotPlacedError):
            longshore.run(definition("too-big", cpu=65536))


def test_a_stream_that_is_left_is_closed_and_threads_may_share_the_client(stack: world.World) -> None:
    with blocking.Client(addresses=at(stack)) as longshore:
        for batch in longshore.watch():
            assert batch.events == ()
            break
        watch = longshore.watch()
        next(watch)
        watch.close()
        codes: list[int | None] = []

        def work(number: int) -> None:
            codes.append(longshore.run(definition("shared", "exit", str(number)), wait=True).exit_code)

        threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(code for code in codes if code) == [1, 2, 3]
    assert [thread.name for thread in threading.enumerate() if thread.name == "longshore client"] == []


def test_a_callback_that_waits_for_its_own_client_is_told_so(stack: world.World) -> None:
    with blocking.Client(addresses=at(stack)) as longshore:
        run = longshore.run(definition("recursive", "exit", "0"))

        def wait_again(task: results.Task) -> None:
            longshore.describe_tasks(task)

        with pytest.raises(RuntimeError, match="callback"):
            longshore.wait_tasks_stopped(run, on_change=wait_again)


async def test_a_definition_of_the_base_library_is_all_that_a_request_needs(longshore: Client) -> None:
    """What has no line of its own goes by `call`, under a client token and with the errors' own names."""
    await longshore.register(definition("by-hand", "exit", "0"))
    request = scheduler_service_pb2.RunTaskRequest(task_definition="by-hand")
    answer = await longshore.call(longshore.scheduler.RunTask, request)
    await longshore.wait_tasks_stopped([task.task_arn for task in answer.tasks])
    assert request.client_token == ""
