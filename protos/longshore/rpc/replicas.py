"""Which of several replicas a call goes to: the one in use while it is connected, else the first to connect.

gRPC's own lists of addresses take literal IP addresses only and check one certificate name for all. Here each replica is a channel of
its own, so names are resolved anew when a replica comes back elsewhere, and each certificate is checked against its own name.
"""

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio

from longshore.rpc import errors

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
        """Connect to all and return the first that answers. Raises errors.Unavailable when none does."""
        attempts = [
            asyncio.create_task(_connected(channel), name=f"connect {address}")
            for address, channel in zip(self.addresses, self.channels, strict=True)
        ]
        try:
            for attempt in asyncio.as_completed(attempts):
                if await attempt and (index := self.now()) is not None:
                    return index
        finally:
            for task in attempts:
                task.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
        raise errors.Unavailable(f"None of {', '.join(self.addresses)} can be reached.")

    async def close(self) -> None:
        """Close all; calls under way are cancelled."""
        await asyncio.gather(*(channel.close() for channel in self.channels))


async def _connected(channel: grpc.aio.Channel) -> bool:
    """Whether an attempt to connect succeeds; its time is bounded by the channel's own options."""
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state in _FAILED:
            return False
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)
    return True
