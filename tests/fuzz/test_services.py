"""Whatever message an RPC is sent, it is answered or refused by name; and whatever an agent says, the tracker goes on."""

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor

from longshore.v1 import registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2
from tests.fuzz import campaigns, complaints, messages, target

# A campaign is bounded by its own answers' bounds.
pytestmark = pytest.mark.timeout(600)

ANSWERED_WITHIN_S = 20.0

LISTENED_S = 0.05
"""How long a stream that goes on for ever is listened to."""

FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
"""What no message may bring about: a fault of ours."""

CALLS_PER_REQUEST = 0.5
"""A campaign of calls is so much shorter than one over HTTP: more of them reach the database."""

DAMAGED = 0.1
"""Share of shots whose bytes are damaged after the message was made."""

SERVICES = {
    "registry": registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    "scheduler": scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
    "state_tracker": state_tracker_service_pb2.DESCRIPTOR.services_by_name["StateTrackerService"],
}
METHODS = tuple((component, method) for component, service in SERVICES.items() for method in service.methods)


async def test_no_message_breaks_a_service(
    plan: campaigns.Plan, stack: target.Target, heard: complaints.Complaints
) -> None:
    def shot(number: int) -> tuple[str, MethodDescriptor, bytes]:
        chance = plan.chance(number)
        component, method = chance.choice(METHODS)
        made = messages.message(method, stack.known, chance)
        return component, method, messages.encoded(made, chance, damaged=chance.random() < DAMAGED)

    def raw(number: int) -> bytes:
        _, method, data = shot(number)
        return f"{method.full_name}\n".encode() + data

    async with contextlib.AsyncExitStack() as opened:
        # Not ours, which name errors: what is judged is what any client is sent.
        channel = {
            component: await opened.enter_async_context(
                grpc.aio.insecure_channel(getattr(stack.addresses, component)[0])
            )
            for component in SERVICES
        }

        async def shoot(number: int) -> str | None:
            component, method, data = shot(number)
            return await fault(channel[component], method, data)

        await campaigns.run(plan.scaled(CALLS_PER_REQUEST), stack, heard, [shoot] * campaigns.AT_ONCE, raw)


async def fault(channel: Any, method: MethodDescriptor, data: bytes) -> str | None:
    """What is wrong with what an RPC answers to these bytes; a stream is listened to for a moment."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            if method.server_streaming:
                stream = channel.unary_stream(path)(data)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LISTENED_S):
                        async for _ in stream:
                            pass
                stream.cancel()
            else:
                await channel.unary_unary(path)(data)
    except TimeoutError:
        return f"no end within {ANSWERED_WITHIN_S:g} s"
    except grpc.aio.AioRpcError as error:
        return f"{path}: {error.code().name}: {error.details()}" if error.code() in FAULTS else None
    return None
