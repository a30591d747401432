"""What the public client makes of a control plane that answers, refuses, is away and comes back."""

import asyncio
import contextlib
import socket

import pytest

from longshore.client import addresses, following, waiting
from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import event_pb2, registry_service_pb2, scheduler_service_pb2, task_pb2
from tests.rpc.client import control_plane

PENDING = task_pb2.TASK_STATUS_PENDING
RUNNING = task_pb2.TASK_STATUS_RUNNING
STOPPED = task_pb2.TASK_STATUS_STOPPED
STORY = (PENDING, RUNNING, task_pb2.TASK_STATUS_STOPPING, STOPPED)


def away(times: int) -> list[Exception]:
    return [errors.Unavailable("away") for _ in range(times)]


def story() -> list[event_pb2.Event]:
    return [control_plane.task_event(number, status) for number, status in enumerate(STORY, start=1)]


async def test_a_run_is_repeated_under_one_client_token() -> None:
    script = control_plane.Script(failures=away(2))
    async with control_plane.connected(script) as client:
        await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest(task_definition="web"))
    tokens = {request.client_token for request in script.unary}  # type: ignore[attr-defined]
    assert len(script.unary) == 3
    assert len(tokens) == 1
    assert "" not in tokens


async def test_two_runs_have_two_tokens_and_a_caller_s_own_is_kept() -> None:
    script = control_plane.Script()
    request = scheduler_service_pb2.RunTaskRequest(task_definition="web")
    async with control_plane.connected(script) as client:
        await client.call(client.scheduler.RunTask, request)
        await client.call(client.scheduler.RunTask, request)
        await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest(client_token="mine"))
    first, second, own = (asked.client_token for asked in script.unary)  # type: ignore[attr-defined]
    assert first != second
    assert (own, request.client_token) == ("mine", "")


async def test_a_start_is_never_repeated() -> None:
    script = control_plane.Script(failures=away(1))
    async with control_plane.connected(script) as client:
        with pytest.raises(errors.Unavailable):
            await client.call(client.scheduler.StartTask, scheduler_service_pb2.StartTaskRequest())
    assert len(script.unary) == 1


@pytest.mark.parametrize("refusal", [errors.ClusterNotFoundException("no"), errors.ConflictException("no")])
async def test_a_refusal_arrives_as_its_own_class_and_is_not_repeated(refusal: errors.ServiceError) -> None:
    script = control_plane.Script(failures=[refusal])
    async with control_plane.connected(script) as client:
        with pytest.raises(type(refusal)):
            await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest())
    assert len(script.unary) == 1


async def test_the_deadline_covers_all_repetitions_and_the_last_refusal_is_told() -> None:
    script = control_plane.Script(failures=away(10_000))
    async with control_plane.connected(script, deadline_s=0.5) as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(errors.Unavailable, match="away"):
            await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest())
    assert asyncio.get_running_loop().time() - began < 1.0
    assert len(script.unary) > 1


async def test_a_server_that_hangs_is_given_up_at_the_deadline() -> None:
    script = control_plane.Script()
    async with control_plane.connected(script) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.call(
                client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task="a"), deadline_s=0.2
            )


async def test_every_page_is_read_under_the_same_request() -> None:
    script = control_plane.Script(clusters=("a", "b", "c"))
    request = registry_service_pb2.ListClustersRequest(max_results=1)
    async with control_plane.connected(script) as client:
        pages = client.pages(client.registry.ListClusters, request)
        assert [arn async for page in pages for arn in page.cluster_arns] == ["a", "b", "c"]
    asked = [(page.max_results, page.next_token) for page in script.unary]  # type: ignore[attr-defined]
    assert asked == [(1, ""), (1, "1"), (1, "2")]
    assert request.next_token == ""


async def test_an_empty_list_is_one_page() -> None:
    async with control_plane.connected(control_plane.Script()) as client:
        pages = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
        assert [len(page.cluster_arns) async for page in pages] == [0]


async def test_the_first_batch_of_a_watch_comes_at_once() -> None:
    async with control_plane.connected(control_plane.Script()) as client, contextlib.aclosing(client.watch()) as watch:
        assert await anext(watch) == clients.Batch("0", ())


async def test_a_watch_that_is_cut_resumes_from_its_cursor_with_nothing_missing_and_nothing_twice() -> None:
    script = control_plane.Script(log=story(), cut_after=[1, 0, 2])
    lost: list[errors.Unavailable] = []
    seen: list[int] = []
    async with (
        control_plane.connected(script) as client,
        contextlib.aclosing(client.watch(cluster="web", cursor="0", tasks=["t"], on_lost=lost.append)) as watch,
    ):
        async for batch in watch:
            seen += [event.sequence for event in batch.events]
            if len(seen) == len(STORY):
                break
    assert seen == [1, 2, 3, 4]
    assert [watch.cursor for watch in script.watches] == ["0", "1", "1", "3"]
    assert {(watch.cluster, tuple(watch.tasks)) for watch in script.watches} == {("web", ("t",))}
    assert len(lost) == 3


async def test_a_watch_of_now_that_is_cut_goes_on_from_where_it_was_not_from_then_on() -> None:
    script = control_plane.Script(cut_after=[0])
    async with control_plane.connected(script) as client, contextlib.aclosing(client.watch()) as watch:
        assert (await anext(watch)).cursor == "0"
        script.log = story()
        script.more.set()
        while not (batch := await anext(watch)).events:
            continue
        assert batch.events[0].sequence == 1


async def test_a_cursor_whose_events_are_gone_surfaces() -> None:
    script = control_plane.Script(cut_with=[errors.OutOfRange("pruned", oldest_cursor="9")])
    async with control_plane.connected(script) as client, contextlib.aclosing(client.watch(cursor="1")) as watch:
        with pytest.raises(errors.OutOfRange) as caught:
            await anext(watch)
    assert caught.value.metadata == {"oldest_cursor": "9"}


async def test_a_follower_with_a_cursor_describes_nothing() -> None:
    script = control_plane.Script(log=story(), cut_after=[2])
    follower = following.Follower([control_plane.TASK])
    statuses: list[int] = []
    async with control_plane.connected(script) as client:
        await waiting.follow(
            client,
            follower,
            cluster="default",
            cursor="0",
            on_change=lambda task: statuses.append(task.last_status),
        )
    assert statuses == list(STORY)
    assert script.unary == []


def description(version: int, status: "task_pb2.TaskStatus.ValueType") -> task_pb2.Task:
    return task_pb2.Task(task_arn=f"arn:x/{control_plane.TASK}", version=version, last_status=status)


async def test_a_follower_without_a_cursor_describes_once_the_watch_is_open() -> None:
    script = control_plane.Script(log=story()[:2], described=description(2, RUNNING))
    follower = following.Follower([control_plane.TASK])
    statuses: list[int] = []

    def hear(task: following.Followed) -> None:
        statuses.append(task.last_status)
        script.log = story()
        script.more.set()

    async with control_plane.connected(script) as client:
        await waiting.follow(client, follower, cluster="default", on_change=hear)
    assert statuses == [RUNNING, task_pb2.TASK_STATUS_STOPPING, STOPPED]
    assert len(script.unary) == 1


async def test_a_follower_whose_events_were_pruned_describes_what_is_left_of_the_story() -> None:
    script = control_plane.Script(cut_with=[errors.OutOfRange("pruned")], described=description(4, STOPPED))
    follower = following.Follower([control_plane.TASK])
    async with control_plane.connected(script) as client:
        await waiting.follow(client, follower, cluster="default", cursor="1")
    assert follower.finished()
    assert [watch.cursor for watch in script.watches] == ["1", ""]


async def test_following_a_task_that_there_is_not_says_so() -> None:
    async with control_plane.connected(control_plane.Script()) as client:
        with pytest.raises(errors.ResourceNotFoundException, match=control_plane.TASK):
            await waiting.follow(client, following.Follower([control_plane.TASK]), cluster="default")


def unused() -> str:
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def test_of_several_replicas_one_that_is_away_costs_no_call() -> None:
    script = control_plane.Script()
    async with control_plane.serving(script) as at:
        replicas = addresses.Addresses(at.registry, (unused(), *at.scheduler, unused()), at.state_tracker)
        async with clients.Client(addresses=replicas) as client:
            for _ in range(5):
                await client.call(client.scheduler.StartTask, scheduler_service_pb2.StartTaskRequest())
    assert len(script.unary) == 5


async def test_many_clients_spread_over_the_replicas() -> None:
    async with control_plane.serving(control_plane.Script(), schedulers=2) as at:
        answered: set[str] = set()
        while len(answered) < 2:  # 2^-N against: the test's timeout fails it
            async with clients.Client(addresses=at) as client:
                answer = await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest())
                answered.add(answer.cursor)
    assert answered == {"0", "1"}
