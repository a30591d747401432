"""Passing a call on to another replica of one's own component, once: whoever gets it there answers, or says that it cannot."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable

import grpc.aio

from longshore.rpc import channels, tls

FORWARDED_KEY = "longshore-forwarded"
"""Metadata of a call that was passed on already."""

FORWARDED = ((FORWARDED_KEY, "1"),)
"""What to send with a call that is passed on."""

KEPT_CHANNELS = 16
"""Neighbours that are kept connected; an installation has a handful of each component."""


class Neighbours:
    """Channels to other replicas, opened when needed."""

    def __init__(self, files: tls.Files) -> None:
        self._files = files
        self._open: OrderedDict[str, tuple[contextlib.AsyncExitStack, grpc.aio.Channel]] = OrderedDict()
        self._opening = asyncio.Lock()

    async def channel(self, address: str) -> grpc.aio.Channel:
        """A channel to the replica at this address. It stays open until many others have been asked for since."""
        async with self._opening:
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

    async def close(self) -> None:
        """Close every channel."""
        while self._open:
            _, (stack, _) = self._open.popitem()
            await stack.aclose()


def was_forwarded(metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    """Whether a call was passed on already."""
    return any(key == FORWARDED_KEY for key, _ in metadata)
