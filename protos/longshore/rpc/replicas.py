"""Which of several replicas a call goes to: the one in use while it is connected, else the first to connect.

gRPC's own lists of addresses take literal IP addresses only and check one certificate name for all. Here each replica is a channel of
its own, so names are resolved anew when a replica comes back elsewhere, and each certificate is checked against its own name.
"""

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio

from longshore.rpc import errors

FIND_TIMEOUT_S = 5.0
"""Longest search for a replica, where the call has no shorter deadline."""

_FAILED = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)


class Replicas:
    """The channels of one component's replicas."""

    def __init__(self, channels: Sequence[tuple[str, grpc.aio.Channel]]) -> None:
        if not channels:
            raise ValueError("no replica given")
        self.addresses = tuple(address for address, _ in channels)
        self.channels = tuple(channel for _, channel in channels)
        self._current = 0

    def now(self) -> int | None:
        """The replica to use at once; None while it has to be found by `found()`.

        A single replica is always the one to use: gRPC waits for its connection and fails fast when there is none.
        """
        if len(self.channels) == 1:
            return 0
        for offset in range(len(self.channels)):
            index = (self._current + offset) % len(self.channels)
            if self.channels[index].get_state() is grpc.ChannelConnectivity.READY:
                self._current = index
                return index
        return None

    async def found(self) -> int:
        """Connect to all and return the first that answers. Raises errors.Unavailable when none does.

        It gives up once all have failed at the same time, or after FIND_TIMEOUT_S: one that failed a moment ago and pauses may
        still come before one that is silent.
        """
        try:
            async with asyncio.timeout(FIND_TIMEOUT_S):
                while True:
                    states = [channel.get_state(try_to_connect=True) for channel in self.channels]
                    if (index := self.now()) is not None:
                        return index
                    if all(state in _FAILED for state in states):
                        break
                    await self.changed(states)
        except TimeoutError:
            pass
        raise errors.Unavailable(f"None of {', '.join(self.addresses)} can be reached.")

    async def changed(self, states: Sequence[grpc.ChannelConnectivity]) -> None:
        """Wait until a replica has another state than the one given for it."""
        watches = [
            asyncio.create_task(channel.wait_for_state_change(state), name=f"watch {address}")
            for address, channel, state in zip(self.addresses, self.channels, states, strict=True)
        ]
        try:
            await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def close(self) -> None:
        """Close all; calls under way are cancelled."""
        await asyncio.gather(*(channel.close() for channel in self.channels))
