"""Whatever an agent says on its stream, and however its stream ends, the tracker refuses it by name or goes on, and keeps nothing of it."""

import asyncio
import contextlib
import random
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import Descriptor

from longshore.v1 import agent_service_pb2
from tests.fuzz import agents, campaigns, complaints, messages, target
from tests.fuzz.test_services import FAULTS
from tests.rpc.state_tracker import fake_agent

pytestmark = pytest.mark.timeout(600)

SESSION = "/longshore.v1.AgentService/Session"
STREAM = "/longshore.v1.AgentService/Stream"
STREAMS = 0.15
"""Share of streams among sessions."""
REQUEST: Descriptor = agent_service_pb2.SessionRequest.DESCRIPTOR
SESSIONS_PER_REQUEST = 0.05
"""A campaign of sessions is so much shorter than one of requests: each has several messages, and a wait."""

ANSWERED_WITHIN_S = 20.0
LISTENED_S = 0.02

OURS = "Internal error from Core"
"""What gRPC's client makes of a message that is written while the tracker ends the stream."""


async def test_no_agent_breaks_the_tracker(
    plan: campaigns.Plan, stack: target.Target, heard: complaints.Complaints
) -> None:
    address = stack.addresses.state_tracker[0]
    identities = [await agents.register(address, "fuzz") for _ in range(campaigns.AT_ONCE)]

    def said(number: int) -> tuple[str, list[bytes]]:
        chance, identity = plan.chance(number), identities[number % len(identities)]
        if chance.random() < STREAMS:
            return STREAM, list(_streamed(identity, stack, chance))
        return SESSION, list(_said(identity, stack, chance))

    async with grpc.aio.insecure_channel(address) as channel:

        async def shoot(number: int) -> str | None:
            return await _fault(channel, *said(number), plan.chance(number))

        def raw(number: int) -> bytes:
            path, parts = said(number)
            return b"\n".join((path.encode(), *(part.hex().encode() for part in parts)))

        await campaigns.run(plan.scaled(SESSIONS_PER_REQUEST), stack, heard, [shoot] * campaigns.AT_ONCE, raw)


def _said(identity: fake_agent.Identity, stack: target.Target, chance: random.Random) -> Any:
    """The messages of one session: mostly a hello that is believed, and then whatever comes to mind."""
    hello = agent_service_pb2.SessionRequest(
        hello=agent_service_pb2.Hello(
            container_instance_id=identity.instance_id,
            instance_credential=identity.credential,
            agent_process_id="fuzz",
        )
    )
    if chance.random() < 0.3:
        messages.disturb(hello, stack.known, chance)
    yield messages.encoded(hello, chance, damaged=chance.random() < 0.05)
    for _ in range(chance.randrange(6)):
        if chance.random() < 0.5:
            made = agent_service_pb2.SessionRequest(
                report=agent_service_pb2.Report(number=chance.choice((1, 1, 2, 3, 2**63 - 1)))
            )
            for _ in range(chance.randrange(4)):
                observation = messages.noise(agent_service_pb2.TaskObservation.DESCRIPTOR, stack.known, chance)
                if chance.random() < 0.5:
                    observation.task_id = chance.choice(stack.known.tasks).rpartition("/")[2]
                made.report.tasks.append(observation)
            made.report.log_tails.extend(messages.log_tail(stack.known, chance) for _ in range(chance.randrange(3)))
            if chance.random() < 0.5:
                made.statistics.CopyFrom(messages.statistics(stack.known, chance))
        else:
            made = messages.noise(REQUEST, stack.known, chance)
        yield messages.encoded(made, chance, damaged=chance.random() < 0.1)


def _streamed(identity: fake_agent.Identity, stack: target.Target, chance: random.Random) -> Any:
    """The messages of one stream: an opening for which nobody waits, mostly by an agent that there is, and whatever comes to mind."""
    opening = agent_service_pb2.StreamRequest(
        opening=agent_service_pb2.StreamOpening(
            container_instance_id=identity.instance_id,
            instance_credential=identity.credential,
            stream_id=chance.choice(("", "\0", "0" * 32, "x" * 40_000)),
        )
    )
    if chance.random() < 0.5:
        messages.disturb(opening, stack.known, chance)
    yield messages.encoded(opening, chance, damaged=chance.random() < 0.1)
    for _ in range(chance.randrange(4)):
        noise = messages.noise(agent_service_pb2.StreamRequest.DESCRIPTOR, stack.known, chance)
        yield messages.encoded(noise, chance, damaged=chance.random() < 0.1)


async def _fault(channel: grpc.aio.Channel, path: str, said: list[bytes], chance: random.Random) -> str | None:
    """What is wrong with how a session or stream ends in which this is said."""
    call: Any = channel.stream_stream(path)()
    ending = chance.choice(("done", "done", "cancelled", "half-closed", "unread"))
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            for part in said:
                await call.write(part)
            if ending in {"done", "half-closed"}:
                await call.done_writing()
            if ending == "done":
                while await call.read() is not grpc.aio.EOF:
                    pass
                return _judged(await call.code(), await call.details())
            if ending != "unread":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LISTENED_S):
                        await call.read()
    except TimeoutError:
        return f"no end within {ANSWERED_WITHIN_S:g} s"
    except asyncio.InvalidStateError:  # written to after its end
        return _judged(await call.code(), await call.details())
    except grpc.aio.AioRpcError as error:
        return _judged(error.code(), error.details())
    finally:
        call.cancel()
    return None


def _judged(code: grpc.StatusCode, details: str | None) -> str | None:
    return f"{code.name}: {details}" if code in FAULTS and details != OURS else None
