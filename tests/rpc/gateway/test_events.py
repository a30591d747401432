"""The event stream over HTTP: in order, resumable, bounded, and ended by whatever has to end it."""

import asyncio
import contextlib
import datetime as dt
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.client import client as clients
from longshore.gateway import app, authentication, events, metrics
from longshore.gateway import config as gateway_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage import log
from longshore.v1 import options_pb2, registry_service_pb2
from tests.engines import ports
from tests.rpc.gateway import feeds, world
from tests.unit.gateway import signing


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[world.ControlPlane]:
    async with world.control_plane(tmp_path) as served:
        yield served


async def test_events_come_as_they_happen_with_arns_in_the_caller_s_region(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client)
    async with feeds.feed(stack.address, "cluster=web") as feed:
        assert feed.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert feed.headers["cache-control"] == "no-store"
        assert len(feed.headers["x-amzn-requestid"]) == 36
        await happening.change()
        event = await feed.event()
    assert feed.kinds == ["container-instance"]
    assert event["sequence"] == 2
    assert event["principal"] == "local-admin"
    prefix = "arn:aws:ecs:us-east-1:123456789012"
    (arn,) = happening.instances
    assert event["containerInstance"]["containerInstanceArn"] == arn
    assert event["containerInstance"]["clusterArn"] == f"{prefix}:cluster/web"
    assert event["containerInstance"]["status"] == "DRAINING"


async def test_what_happened_meanwhile_comes_after_the_last_event_id(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client)
    async with feeds.feed(stack.address, "cluster=web") as feed:
        await happening.change(2)
        assert await feed.sequences(2) == [2, 3]
    await happening.change(2)
    for query, headers in (
        ("cluster=web", [("last-event-id", feed.last_id)]),
        (f"cluster=web&last_event_id={feed.last_id}", []),
    ):
        async with feeds.feed(stack.address, query, headers=headers) as again:
            assert await again.sequences(2) == [4, 5]


async def test_a_client_that_was_cut_off_before_the_first_event_goes_on_from_where_it_began(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client)
    async with feeds.feed(stack.address, "cluster=web") as feed:
        await feed.beginning()
    await happening.change()
    async with feeds.feed(stack.address, "cluster=web", headers=[("last-event-id", feed.last_id)]) as again:
        assert await again.sequences(1) == [2]


async def test_a_client_that_was_cut_off_within_a_batch_gets_the_rest_of_it(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client, instances=5)
    async with feeds.feed(stack.address, "cluster=web") as feed:
        await happening.change_all()
        assert await feed.sequences(2) == [6, 7]
        assert "." in feed.last_id, "the five events were to come in one batch"
    async with feeds.feed(stack.address, "cluster=web", headers=[("last-event-id", feed.last_id)]) as again:
        assert await again.sequences(3) == [8, 9, 10]


async def test_filters_choose_the_events(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client, instances=2)
    async with feeds.feed(stack.address, f"cluster=web&container-instance={happening.instances[1]}") as feed:
        await happening.change_all()
        await happening.change()
        await happening.change_all()
        await happening.change_all()
        told = [(await feed.event())["containerInstance"]["containerInstanceArn"] for _ in range(2)]
    assert told == [happening.instances[1]] * 2


def _seen(one: list[int], two: list[int], number: int) -> bool:
    """Whether both have seen an event."""
    return number in one and number in two


async def _collect(address: str, got: list[int], until: int, *, each: int) -> None:
    """Watch as a browser does: cut off after `each` events, back with the last id, whatever is away meanwhile."""
    last_id = ""
    while not got or got[-1] < until:
        headers = [("last-event-id", last_id)] if last_id else []
        query = "cluster=web" if last_id else "cluster=web&last_event_id=" + _START
        with contextlib.suppress(OSError, EOFError, AssertionError):  # away: tried again
            async with feeds.feed(address, query, headers=headers) as feed:
                for _ in range(each):
                    try:
                        got.append((await feed.event())["sequence"])
                    finally:
                        last_id = feed.last_id or last_id
                    if got[-1] >= until:
                        return
        await asyncio.sleep(0.01)


# The cursor of an empty log of the cluster `web`, so that both watchers read from the beginning.
_START = "MTp3ZWI6MA"


async def test_two_watchers_miss_nothing_and_see_nothing_twice_while_gateway_and_tracker_come_and_go(
    plane: world.ControlPlane, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{ports.free_port()}"
    tracker = tracker_config.Config(
        listen=plane.at.state_tracker[0], registry=plane.at.registry, scheduler=plane.at.scheduler, state_dir=tmp_path
    )
    settings = world.settings(plane.at, listen=address)
    one: list[int] = []
    two: list[int] = []
    async with clients.Client(addresses=plane.at) as client, asyncio.timeout(45):
        happening = await feeds.happening(client, instances=4)
        until = 4 + 4 * (4 + 2)
        async with asyncio.TaskGroup() as group:
            group.create_task(_collect(address, one, until, each=3))
            group.create_task(_collect(address, two, until, each=1000))
            for turn in range(4):
                async with app.serve(settings):
                    await happening.change_all()
                    if turn == 1:
                        await plane.stop("state_tracker")
                        plane.stops["state_tracker"] = contextlib.AsyncExitStack()
                        await plane.stops["state_tracker"].enter_async_context(
                            tracker_app.serve(tracker, database=plane.database, bus=plane.bus)
                        )
                    await happening.change(2)
                    # The last gateway stays until everything was seen; one before it leaves in the middle of things.
                    await feeds.until(functools.partial(_seen, one, two, until if turn == 3 else 4 + turn * 6))
    assert one == two == list(range(1, until + 1))


async def test_a_pruned_position_is_gone(stack: world.Stack) -> None:
    happening = await feeds.happening(stack.client)
    await happening.change(3)
    await stack.plane.database.run(lambda _: _pruned())
    answer = await feeds.refusal(stack.address, f"cluster=web&last_event_id={_START}")
    assert (answer.status, answer.reason) == (410, "PrunedPositionException")
    assert "oldest cursor" in answer.json["message"]


def _pruned() -> Any:
    yield from log.prune("web", before=2**62, limit=3)


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("cluster=gone", 400, "ClusterNotFoundException"),
        ("cluster=web&what=ever", 400, "InvalidParameterException"),
        ("cluster=web&last_event_id=no.body", 400, "InvalidParameterException"),
        ("cluster=web&task=a%2Fb", 400, "InvalidParameterException"),
        # The cursor of another cluster.
        ("cluster=other&last_event_id=" + _START, 400, "InvalidParameterException"),
    ],
)
async def test_what_is_wrong_is_answered_before_the_stream_begins(
    stack: world.Stack, query: str, status: int, reason: str
) -> None:
    await feeds.happening(stack.client)
    await feeds.happening(stack.client, "other")
    answer = await feeds.refusal(stack.address, query)
    assert (answer.status, answer.reason) == (status, reason)


async def test_a_log_that_nobody_opens_is_answered_503(stack: world.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIRST_TIMEOUT_S", 0.05)
    await stack.plane.stop("state_tracker")
    answer = await feeds.refusal(stack.address, "cluster=web")
    assert (answer.status, answer.reason) == (503, "ServiceUnavailableException")


async def test_other_methods_are_refused(stack: world.Stack) -> None:
    for method in ("HEAD", "POST", "DELETE"):
        async with contextlib.aclosing(await stack.connect()) as peer:
            await peer.send(world.raw(method, "/events", [("host", stack.address)]))
            assert (await peer.answer(head=method == "HEAD")).status == 405


async def test_a_web_page_of_another_site_gets_nothing(stack: world.Stack) -> None:
    answer = await feeds.refusal(stack.address, headers=[("origin", "http://evil.example")])
    assert (answer.status, answer.reason) == (403, "AccessDeniedException")


# ------------------------------------------------------------------------------------------- one gateway, other settings


class Keyring:
    """Lets everybody in, until told otherwise."""

    def __init__(self) -> None:
        self.shut = False

    async def authenticate(self, _: object) -> authentication.Identity:
        """The identity of anybody."""
        return authentication.Identity("access-key:K", options_pb2.ROLE_READ_ONLY, "us-east-1")

    async def still(self, _: object) -> bool:
        """Whether nothing was told."""
        return not self.shut


@contextlib.asynccontextmanager
async def streaming(
    plane: world.ControlPlane, monkeypatch: pytest.MonkeyPatch, **given: Any
) -> AsyncIterator[tuple[str, metrics.Metrics]]:
    """A gateway whose streams have other settings; its address and what it measures."""
    made: list[metrics.Metrics] = []

    def streams(_: object, client: Any, authenticator: Any, measured: Any, draining: Any) -> events.Events:
        made.append(measured)
        usual: dict[str, Any] = {"authenticator": authenticator}
        return events.Events(
            client=client,
            account="123456789012",
            measured=measured,
            draining=draining,
            new_id=app.new_id,
            **(usual | given),
        )

    monkeypatch.setattr(app, "_events", streams)
    async with app.serve(world.settings(plane.at)) as serving:
        yield serving.address, made[0]


async def test_silence_is_filled_with_comments(plane: world.ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        clients.Client(addresses=plane.at) as client,
        streaming(plane, monkeypatch, heartbeat_s=0.02) as (address, _),
    ):
        happening = await feeds.happening(client)
        async with feeds.feed(address, "cluster=web") as feed:
            await feed.comment()
            await feed.comment()
            await happening.change()
            assert await feed.sequences(1) == [2]
            await plane.stop("state_tracker")
            await feed.comment()


async def test_there_are_only_so_many_streams(plane: world.ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        clients.Client(addresses=plane.at) as client,
        streaming(plane, monkeypatch, most=1) as (address, measured),
    ):
        await feeds.happening(client)
        async with feeds.feed(address, "cluster=web"):
            assert measured.event_streams == 1
            answer = await feeds.refusal(address, "cluster=web")
            assert (answer.status, answer.reason) == (503, "ServiceUnavailableException")
        await feeds.until(lambda: not measured.event_streams)
        async with feeds.feed(address, "cluster=web"):
            assert measured.event_streams == 1


async def test_a_stream_ends_with_the_key_that_it_was_opened_with(
    plane: world.ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring()
    async with (
        clients.Client(addresses=plane.at) as client,
        streaming(plane, monkeypatch, authenticator=keyring, recheck_s=0.02) as (address, _),
    ):
        happening = await feeds.happening(client)
        async with feeds.feed(address, "cluster=web") as feed:
            await happening.change()
            await feed.event()
            keyring.shut = True
            await feed.end()


async def test_a_stream_ends_with_the_gateway(plane: world.ControlPlane) -> None:
    async with contextlib.AsyncExitStack() as stack, clients.Client(addresses=plane.at) as client:
        serving = await stack.enter_async_context(app.serve(world.settings(plane.at)))
        await feeds.happening(client)
        async with feeds.feed(serving.address, "cluster=web") as feed:
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as group:
                group.create_task(feed.end())
                group.create_task(stack.aclose())
            assert asyncio.get_running_loop().time() - began < 3.0


async def test_a_browser_comes_in_by_a_presigned_url_and_no_other_way(plane: world.ControlPlane) -> None:
    async with (
        clients.Client(addresses=plane.at) as client,
        app.serve(world.settings(plane.at, verify=gateway_config.ALWAYS)) as serving,
    ):
        happening = await feeds.happening(client)
        made = await client.call(
            client.registry.CreateAccessKey,
            registry_service_pb2.CreateAccessKeyRequest(name="eve", role=options_pb2.ROLE_READ_ONLY),
        )
        presigned = signing.signed(
            "GET",
            "/events?cluster=web",
            region="eu-west-1",
            access_key_id=made.access_key.access_key_id,
            secret=made.secret_access_key,
            at=dt.datetime.now(dt.UTC),
            expires=60,
            host=serving.address,
        )
        async with feeds.feed(serving.address, presigned.query) as feed:
            await happening.change()
            event = await feed.event()
        assert event["containerInstance"]["clusterArn"].startswith("arn:aws:ecs:eu-west-1:")
        other = presigned.query.replace("cluster=web", "cluster=default")
        refused = await feeds.refusal(serving.address, other)
        assert (refused.status, refused.reason) == (400, "InvalidSignatureException")
        unsigned = await feeds.refusal(serving.address, "cluster=web")
        assert (unsigned.status, unsigned.reason) == (400, "MissingAuthenticationTokenException")
