"""ReadLogs and the streams that agents open for it, over real ports and both engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from longshore.rpc import channels, errors, log_cursor
from longshore.state_tracker import app, host_streams, log_tails
from longshore.state_tracker.config import Config
from longshore.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    log_pb2,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import STOPPED, TIMEOUT_S, Identity, Session, observed, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2
OUT = log_pb2.LOG_STREAM_STDOUT


def answer(text: bytes, cursor: str = "") -> bytes:
    """A chunk as an agent makes it."""
    piece = log_pb2.LogPiece(container="main", stream=OUT, data=text)
    return pb.ReadLogsResponse(pieces=[piece], cursor=cursor).SerializeToString()


def tail(task_id: str, *lines: str, whole: bool = True) -> log_pb2.LogTail:
    """Last lines, a second apart."""
    made = log_pb2.LogTail(task_id=task_id, container="main", whole=whole)
    for number, line in enumerate(lines):
        made.lines.add(stream=OUT, data=line.encode()).time.seconds = 1_700_000_000 + number
    return made


async def ordered(agent: Session) -> agent_service_pb2.StreamOrder:
    """The order that the session brings."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            message: agent_service_pb2.SessionResponse = await agent.receive()
            if message.stream_orders:
                return message.stream_orders[0]


@asynccontextmanager
async def opened(address: str, identity: Identity, stream_id: str, credential: str | None = None) -> AsyncIterator[Any]:
    """The agent's side of a stream."""
    async with channels.connect(address) as channel:
        call: Any = agent_service_pb2_grpc.AgentServiceStub(channel).Stream()
        opening = agent_service_pb2.StreamOpening(
            container_instance_id=identity.instance_id,
            instance_credential=identity.credential if credential is None else credential,
            stream_id=stream_id,
        )
        await call.write(agent_service_pb2.StreamRequest(opening=opening))
        try:
            yield call
        finally:
            call.cancel()


async def send(call: Any, *chunks: bytes, **end: Any) -> None:
    for chunk in chunks:
        await call.write(agent_service_pb2.StreamRequest(chunk=chunk))
    await call.write(agent_service_pb2.StreamRequest(end=agent_service_pb2.StreamEnd(**end)))
    await call.done_writing()


async def refusal(call: Any) -> None:
    """Read to the end of a stream that should have failed."""
    while await call.read() is not grpc.aio.EOF:
        pass
    await call.read()


async def read(tracker: Any, task_id: str, **wanted: Any) -> list[pb.ReadLogsResponse]:
    """All that a reader gets."""
    request = pb.ReadLogsRequest(cluster="web", task=task_id, **wanted)
    async with asyncio.timeout(TIMEOUT_S):
        return [answer async for answer in tracker.ReadLogs(request)]


def text(answers: list[pb.ReadLogsResponse]) -> bytes:
    return b"".join(piece.data for answer in answers for piece in answer.pieces)


async def test_chunks_pass_through_as_they_are_and_the_order_says_what_was_asked(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        reading = asyncio.create_task(read(tracker, task_id, follow=True, tail=3, containers=["main"], timestamps=True))
        order = await ordered(agent)
        wanted = order.logs
        assert (wanted.task_id, list(wanted.containers), wanted.follow, wanted.tail, wanted.timestamps) == (
            task_id, ["main"], True, 3, True,
        )  # fmt: skip
        assert order.address == ""
        async with opened(address, identity, order.stream_id) as call:
            assert (await call.read()).credit == host_streams.CREDIT_BYTES
            await send(call, answer(b"one"), answer(b"two"))
            assert text(await reading) == b"onetwo"
            assert await call.read() is grpc.aio.EOF


async def test_a_stranger_gets_no_stream(tracker: Any, address: str, world: World, join: Join) -> None:
    identity, other = await join(), await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        reading = asyncio.create_task(read(tracker, task_id))
        order = await ordered(agent)
        for who, stream_id, credential, refused in (
            (other, order.stream_id, None, errors.ResourceNotFoundException),
            (identity, "0" * 32, None, errors.ResourceNotFoundException),
            (identity, order.stream_id, "guessed", errors.Unauthenticated),
        ):
            async with opened(address, who, stream_id, credential) as call:
                with pytest.raises(refused):
                    await refusal(call)
        async with opened(address, identity, order.stream_id) as call:
            await send(call, answer(b"mine"))
            assert text(await reading) == b"mine"


async def test_credit_comes_back_only_for_what_the_reader_took(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    """A reader that stands still has the agent send no more than its credit and what the connections hold."""
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        call_of_reader = tracker.ReadLogs(pb.ReadLogsRequest(cluster="web", task=task_id))
        first = asyncio.create_task(call_of_reader.read())
        order = await ordered(agent)
        async with opened(address, identity, order.stream_id) as call:
            credit = (await call.read()).credit
            sent = 0
            chunk = answer(b"x" * 100_000)

            async def send_all() -> None:
                nonlocal credit, sent
                while True:
                    while credit <= 0:
                        credit += (await call.read()).credit
                    await call.write(agent_service_pb2.StreamRequest(chunk=chunk))
                    credit, sent = credit - len(chunk), sent + len(chunk)

            sending = asyncio.create_task(send_all())
            assert (await first).pieces
            before = -1
            while before != sent:  # until it has stopped by itself
                before = sent
                await asyncio.wait({sending}, timeout=0.3)
            # Its credit, and the windows of two connections, which gRPC widens to some megabytes each.
            assert sent < 24 * host_streams.CREDIT_BYTES
            for _ in range(sent // len(chunk) + 5):  # it goes on as soon as the reader does
                assert (await call_of_reader.read()).pieces
            sending.cancel()


async def test_a_stream_that_breaks_and_one_that_is_never_opened_are_to_be_resumed(
    tracker: Any, address: str, world: World, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    monkeypatch.setattr(host_streams, "ANSWER_TIMEOUT_S", 0.2)
    async with session(address, identity) as agent:
        with pytest.raises(errors.Unavailable, match="has opened no stream"):
            await read(tracker, task_id)
        await ordered(agent)
        monkeypatch.setattr(host_streams, "ANSWER_TIMEOUT_S", TIMEOUT_S)
        reading = asyncio.create_task(read(tracker, task_id))
        async with opened(address, identity, (await ordered(agent)).stream_id) as call:
            assert (await call.read()).credit
            await call.write(agent_service_pb2.StreamRequest(chunk=answer(b"half")))
        with pytest.raises(errors.Unavailable, match="broke off"):
            await reading


async def test_the_agent_s_stream_ends_with_its_reader(tracker: Any, address: str, world: World, join: Join) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        call_of_reader = tracker.ReadLogs(pb.ReadLogsRequest(cluster="web", task=task_id, follow=True))
        first = asyncio.create_task(call_of_reader.read())
        async with opened(address, identity, (await ordered(agent)).stream_id) as call:
            await call.write(agent_service_pb2.StreamRequest(chunk=answer(b"some")))
            assert text([await first]) == b"some"
            call_of_reader.cancel()
            async with asyncio.timeout(TIMEOUT_S):
                while await call.read() is not grpc.aio.EOF:
                    pass


async def test_a_tracker_that_leaves_sends_its_readers_elsewhere(db: Any, world: World) -> None:
    """At once, and not after the grace of its server: also those whose stream passes through it."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                app.serve(Config(listen="127.0.0.1:0", agent_lease=60.0), database=db, bus=world.bus)
            )
            for _ in range(2)
        ]
        one, two = [await stack.enter_async_context(channels.connect(held.address)) for held in (first, second)]
        holder: Any = state_tracker_service_pb2_grpc.StateTrackerServiceStub(one)
        between: Any = state_tracker_service_pb2_grpc.StateTrackerServiceStub(two)
        made = await holder.RegisterContainerInstance(fake_agent.registration())
        identity = Identity(made.container_instance.container_instance_arn.rpartition("/")[2], made.instance_credential)
        (task_id,) = (await world.place(identity.instance_id)).task_ids
        agent = await stack.enter_async_context(session(first.address, identity))
        readings = []
        for stub in (holder, between):
            readings.append(asyncio.create_task(read(stub, task_id, follow=True)))
            call = await stack.enter_async_context(opened(first.address, identity, (await ordered(agent)).stream_id))
            assert (await call.read()).credit
        for serving in (second, first):
            serving.draining.set()
            with pytest.raises(errors.Unavailable, match="shutting down"):
                await readings.pop()


async def test_why_an_agent_cannot_read_reaches_the_reader_under_its_name(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        reading = asyncio.create_task(read(tracker, task_id))
        async with opened(address, identity, (await ordered(agent)).stream_id) as call:
            await send(call, reason="ClientException", message="log driver none: nothing to read")
            with pytest.raises(errors.ClientException, match="log driver none"):
                await reading


async def test_another_tracker_passes_the_call_on_to_the_one_with_the_session(
    start: Callable[..., Awaitable[str]], world: World
) -> None:
    first, second = await start(agent_lease=60.0), await start(agent_lease=60.0)
    async with channels.connect(first) as one, channels.connect(second) as two:
        registering: Any = state_tracker_service_pb2_grpc.StateTrackerServiceStub(one)
        reader: Any = state_tracker_service_pb2_grpc.StateTrackerServiceStub(two)
        made = await registering.RegisterContainerInstance(fake_agent.registration())
        identity = Identity(made.container_instance.container_instance_arn.rpartition("/")[2], made.instance_credential)
        (task_id,) = (await world.place(identity.instance_id)).task_ids
        async with session(first, identity) as agent:
            reading = asyncio.create_task(read(reader, task_id))
            async with opened(first, identity, (await ordered(agent)).stream_id) as call:
                await send(call, answer(b"passed on"))
                assert text(await reading) == b"passed on"


async def test_the_last_lines_answer_where_the_host_cannot(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    with pytest.raises(errors.Unavailable, match="No agent is connected"):
        await read(tracker, task_id)
    async with session(address, identity) as agent:
        await agent.report(observed(task_id, STOPPED, released=True))
        agent.number += 1
        report = agent_service_pb2.Report(number=agent.number, log_tails=[tail(task_id, "a\n", "b\n", whole=False)])
        await agent.send(report=report)
        while agent.acknowledged < agent.number:
            await agent.receive()
        reading = asyncio.create_task(read(tracker, task_id))
        async with opened(address, identity, (await ordered(agent)).stream_id) as call:
            await send(call, gone=["main"])
            (found,) = await reading
    assert (text([found]), found.from_tail, found.truncated) == (b"a\nb\n", True, True)
    await world.execute("UPDATE container_instances SET connected = 0")
    assert await read(tracker, task_id) == [found]
    assert text(await read(tracker, task_id, tail=1)) == b"b\n"
    cursor = log_cursor.Cursor()
    cursor.advance("main", OUT, b"2023-11-14T22:13:20.000000000Z", 1)
    (resumed,) = await read(tracker, task_id, cursor=cursor.encode())
    assert (text([resumed]), resumed.truncated) == (b"b\n", False)


async def test_last_lines_come_again_without_harm_and_only_of_tasks_of_the_instance(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity, other = await join(), await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    (foreign,) = (await world.place(other.instance_id)).task_ids
    async with session(address, identity) as agent:
        for lines in (("early\n",), ("early\n", "late\n")):
            agent.number += 1
            tails = [tail(task_id, *lines), tail(foreign, "stolen\n")]
            await agent.send(report=agent_service_pb2.Report(number=agent.number, log_tails=tails))
            while agent.acknowledged < agent.number:
                await agent.receive()
    row = await world.row("SELECT COUNT(*) AS n, MIN(task_id) AS task_id FROM log_tails")
    assert (row["n"], row["task_id"]) == (1, task_id)
    kept = log_pb2.LogTail.FromString((await world.row("SELECT body FROM log_tails"))["body"])
    assert [line.data for line in kept.lines] == [b"early\n", b"late\n"]


async def test_lines_that_nobody_could_be_shown_are_dropped_and_the_rest_of_the_report_counts(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    bad = [tail(task_id, "x\n") for _ in range(5)]
    bad[0].lines[0].time.seconds = 2**62
    bad[1].lines[0].time.nanos = -1
    bad[2].lines[0].time.seconds = -(2**40)
    bad[3].lines[0].stream = 7  # type: ignore[assignment] # what an agent may send
    bad[4].container = "a" * 256
    others = [tail(task_id, "y\n") for _ in range(20)]
    for number, other in enumerate(others):
        other.container = f"made-up-{number}"
    async with session(address, identity) as agent:
        await agent.report(observed(task_id, STOPPED, released=True))
        for tails in ([*bad, tail(task_id, "good\n")], others, bad):
            agent.number += 1
            await agent.send(report=agent_service_pb2.Report(number=agent.number, log_tails=tails))
            while agent.acknowledged < agent.number:
                await agent.receive()
    await world.execute("UPDATE container_instances SET connected = 0")
    assert text(await read(tracker, task_id)) == b"good\n"
    assert (await world.row("SELECT COUNT(*) AS n FROM log_tails"))["n"] == log_tails.MAX_CONTAINERS


@pytest.mark.parametrize(
    "wanted",
    [
        {"since": Timestamp(seconds=2**62)},
        {"since": Timestamp(nanos=-1)},
        {"until": Timestamp(seconds=-(2**62))},
        {"tail": -1},
        {"cursor": "x" * 1_000_000},
    ],
)
async def test_what_no_agent_could_be_asked_is_refused_before(
    wanted: dict[str, Any], tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity):
        with pytest.raises(errors.InvalidParameterException):
            await read(tracker, task_id, **wanted)
