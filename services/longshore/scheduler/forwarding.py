"""Passing a call on to the scheduler that leads."""

from typing import Any

from longshore.rpc import errors, neighbours, tls
from longshore.v1 import scheduler_service_pb2_grpc

FORWARD_TIMEOUT_S = 10.0
"""Deadline of a call passed on whose caller gave none: several changes of leader long."""


class Forwarder:
    """Asks other schedulers."""

    def __init__(self, files: tls.Files) -> None:
        self._neighbours = neighbours.Neighbours(files)

    async def call(self, address: str, operation: str, request: Any, timeout_s: float | None) -> Any:
        """The leader's answer. Raises what it raises, and Unavailable when it cannot be reached."""
        channel = await self._neighbours.channel(address)
        method = getattr(scheduler_service_pb2_grpc.SchedulerServiceStub(channel), operation)
        try:
            return await method(
                request,
                timeout=FORWARD_TIMEOUT_S if timeout_s is None else timeout_s,
                metadata=neighbours.FORWARDED,
            )
        except errors.Unavailable as error:
            raise errors.Unavailable(
                f"The leading scheduler at {address} does not answer; repeat the call. ({error.message})",
                leader=address,
            ) from error

    async def close(self) -> None:
        """Close every channel."""
        await self._neighbours.close()
