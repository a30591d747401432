"""The one character that PostgreSQL stores in no text: refused or dropped by itself, on either engine, and nothing else is lost."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import errors
from longshore.v1 import record_pb2, state_tracker_service_pb2
from tests.rpc.state_tracker.fake_agent import RUNNING, STOPPED, Identity, observed, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2


async def test_an_observation_with_it_is_dropped_and_the_rest_of_the_report_counts(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    good, bad = (await world.place(identity.instance_id, 2)).task_ids
    async with session(address, identity) as agent:
        await agent.report(observed(good, RUNNING), observed(bad, STOPPED, reason="a\0b"), observed("x\0", RUNNING))
        await agent.report(observed(bad, RUNNING))
    assert await world.counted() == await world.recounted() == (0, 2)


async def test_an_agent_that_says_it_in_its_hello_is_refused_and_others_come_in(address: str, join: Join) -> None:
    identity = await join()
    with pytest.raises(errors.InvalidParameterException, match="NUL"):
        async with session(address, Identity("\0", "c")):
            pass
    with pytest.raises(errors.InvalidParameterException, match="NUL"):
        async with session(address, identity, process_id="p\0"):
            pass
    async with session(address, identity) as agent:
        assert agent.welcome.session_epoch == 1


async def test_a_submission_with_it_is_refused(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    with pytest.raises(errors.InvalidParameterException, match="reason contains the character NUL"):
        await tracker.SubmitTaskStateChange(
            pb.SubmitTaskStateChangeRequest(cluster="web", task=task_id, status="STOPPED", reason="\0")
        )


async def test_a_page_token_that_somebody_made_up_is_refused(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    await world.place(identity.instance_id, 3)
    first = await tracker.ListTasks(pb.ListTasksRequest(cluster="web", max_results=1))
    raw = base64.b64decode(first.next_token + "=" * (-len(first.next_token) % 4), altchars=b"-_")
    token = record_pb2.PageToken.FromString(raw)
    token.last_key[0] = "\0"
    forged = base64.urlsafe_b64encode(token.SerializeToString()).decode().rstrip("=")
    with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
        await tracker.ListTasks(pb.ListTasksRequest(cluster="web", max_results=1, next_token=forged))


async def test_a_filter_with_it_is_refused(tracker: Any, join: Join) -> None:
    await join()
    for request in (
        pb.ListTasksRequest(cluster="web", family="a\0"),
        pb.ListTasksRequest(cluster="web", started_by="a\0"),
        pb.ListTasksRequest(cluster="web", service_name="a\0"),
    ):
        with pytest.raises(errors.InvalidParameterException, match="NUL"):
            await tracker.ListTasks(request)
