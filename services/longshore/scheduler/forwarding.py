"""Passing a call on to the scheduler that leads, once: whoever gets it there decides, or says that it cannot."""

import contextlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import grpc.aio

from longshore.rpc import channels, errors, tls
from longshore.v1 import scheduler_service_pb2_grpc

FORWARDED_KEY = "longshore-forwarded"
"""Metadata of a call that was passed on already."""

FORWARD_TIMEOUT_S = 10.0
"""Deadline of a call passed on whose caller gave none: several changes of leader long."""

KEPT_CHANNELS = 16
"""Leaders that are kept connected; an installation has a handful of schedulers."""


class Forwarder:
    """Channels to other schedulers, opened when needed."""

    def __init__(self, files: tls.Files) -> None:
        self._files = files
        self._open: OrderedDict[str, tuple[contextlib.AsyncExitStack, grpc.aio.Channel]] = OrderedDict()

    async def call(self, address: str, operation: str, request: Any, timeout_s: float | None) -> Any:
        """The leader's answer. Raises what it raises, and Unavailable when it cannot be reached."""
        channel = await self._channel(address)
        method = getattr(scheduler_service_pb2_grpc.SchedulerServiceStub(channel), operation)
        try:
            return await method(
                request,
                timeout=FORWARD_TIMEOUT_S if timeout_s is None else timeout_s,
                metadata=((FORWARDED_KEY, "1"),),
            )
        except errors.Unavailable as error:
            raise errors.Unavailable(
                f"The leading scheduler at {address} does not answer; repeat the call. ({error.message})",
                leader=address,
            ) from error

    async def close(self) -> None:
        """Close every channel."""
        while self._open:
            _, (stack, _) = self._open.popitem()
            await stack.aclose()

    async def _channel(self, address: str) -> grpc.aio.Channel:
        if address in self._open:
            self._open.move_to_end(address)
            return self._open[address][1]
        stack = contextlib.AsyncExitStack()
        channel = await stack.enter_async_context(channels.connect((address,), files=self._files))
        self._open[address] = (stack, channel)
        if len(self._open) > KEPT_CHANNELS:
            _, (oldest, _) = self._open.popitem(last=False)
            await oldest.aclose()
        return channel


def was_forwarded(metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    """Whether a call was passed on already."""
    return any(key == FORWARDED_KEY for key, _ in metadata)
