"""Which of several replicas a call goes to: the one in use while it is connected, else the first to connect.

gRPC's own lists of addresses take literal IP addresses only and check one certificate name for all. Here each replica is a channel of
its own, so names are resolved anew when a replica comes back elsewhere, and each certificate is checked against its own name.

The one in use is dialled first, and the others when it fails or takes its time: ten thousand agents that dialled all replicas would be as
many idle connections at each. Nor is one dialled on that nobody needs: gRPC would try to reach a dead one for ever.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from longshore.rpc import errors

FIND_TIMEOUT_S = 5.0
"""Longest search for a replica, where the call has no shorter deadline."""

HEDGE_S = 0.5
"""How long the replica in use may take to connect before the others are dialled as well."""

_FAILED = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)
_DIALLED = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.CONNECTING)


class Replicas:
    """The channels of one component's replicas, each made when it is needed: `dial` makes one of an address."""

    def __init__(self, addresses: Sequence[str], dial: Callable[[str], grpc.aio.Channel]) -> None:
        if not addresses:
            raise ValueError("no replica given")
        self.addresses = tuple(addresses)
        self._dial = dial
        self._channels: dict[int, grpc.aio.Channel] = {}
        self._closing: set[asyncio.Task[Any]] = set()
        self._current = 0
        self._avoided: int | None = None

    def channel(self, index: int) -> grpc.aio.Channel:
        """The channel of a replica."""
        found = self._channels.get(index)
        if found is None:
            found = self._channels[index] = self._dial(self.addresses[index])
        return found

    def state(self, index: int) -> grpc.ChannelConnectivity:
        """How the connection to a replica is."""
        found = self._channels.get(index)
        return grpc.ChannelConnectivity.IDLE if found is None else found.get_state()

    def avoid(self, index: int) -> None:
        """Use another replica than this one from the next call on, if one can be reached."""
        if len(self.addresses) > 1:
            self._avoided = index
            if self._current == index:
                self._current = (index + 1) % len(self.addresses)

    def now(self) -> int | None:
        """The replica to use at once; None while it has to be found by `found()`.

        A single replica is always the one to use: gRPC waits for its connection and fails fast when there is none.
        """
        if len(self.addresses) == 1:
            return 0
        for offset in range(len(self.addresses)):
            index = (self._current + offset) % len(self.addresses)
            if index != self._avoided and self._is_ready(index):
                return self._take(index)
        return None

    async def found(self) -> int:
        """Connect, and return the first that answers. Raises errors.Unavailable when none does.

        First the one in use, then all but the one to avoid, then all. It gives up once all have failed at the same time, or after
        FIND_TIMEOUT_S: one that failed a moment ago and pauses may still come before one that is silent.
        """
        everyone = tuple(range(len(self.addresses)))
        others = tuple(index for index in everyone if index != self._avoided)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIND_TIMEOUT_S):
                for wanted in ((self._current,), others):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HEDGE_S):
                            if (index := await self._connected(wanted)) is not None:
                                return self._take(index)
                if (index := await self._connected(everyone)) is not None:
                    return self._take(index)
        raise errors.Unavailable(f"None of {', '.join(self.addresses)} can be reached.")

    async def _connected(self, wanted: Sequence[int]) -> int | None:
        """The first of these to be connected; None once all of them have failed at the same time."""
        while True:
            states = [self.channel(index).get_state(try_to_connect=True) for index in wanted]
            for index in wanted:
                if self._is_ready(index):
                    return index
            if all(state in _FAILED for state in states):
                return None
            await self.changed(states, wanted)

    def _is_ready(self, index: int) -> bool:
        return self.state(index) is grpc.ChannelConnectivity.READY

    def _take(self, index: int) -> int:
        self._current, self._avoided = index, None
        for other in [number for number in self._channels if number != index and self.state(number) in _DIALLED]:
            self._drop(other)
        return index

    def _drop(self, index: int) -> None:
        """Give up a channel that is being dialled, and so has no call under way."""
        closing = asyncio.ensure_future(self._channels.pop(index).close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def changed(self, states: Sequence[grpc.ChannelConnectivity], indexes: Sequence[int] | None = None) -> None:
        """Wait until a replica (of these, or of all) has another state than the one given for it."""
        chosen = range(len(self.addresses)) if indexes is None else indexes
        watches = [
            asyncio.create_task(self.channel(index).wait_for_state_change(state), name=f"watch {self.addresses[index]}")
            for index, state in zip(chosen, states, strict=True)
        ]
        try:
            await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def close(self) -> None:
        """Close all; calls under way are cancelled."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()), *self._closing)
