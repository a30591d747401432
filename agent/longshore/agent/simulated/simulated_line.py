"""A simulated host's line to the control plane: it can be held, so that nothing gets through in either direction while the connection stays."""

import asyncio
from typing import Any

from longshore.v1 import agent_service_pb2_grpc


class Line:
    """Stands in for the stub of AgentService in the sessions of one host."""

    def __init__(self, stub: "agent_service_pb2_grpc.AgentServiceAsyncStub") -> None:
        self._stub = stub
        self._held: asyncio.Future[None] | None = None

    def Session(self) -> "Call":  # noqa: N802 - the contract's name
        """Begin a session."""
        return Call(self, self._stub.Session())

    def hold(self) -> None:
        """Let nothing through from now on."""
        if self._held is None:
            self._held = asyncio.get_running_loop().create_future()

    def release(self) -> None:
        """Let through what waits, and all that follows."""
        if self._held is not None:
            self._held.set_result(None)
            self._held = None

    async def passes(self) -> None:
        """Wait until something may get through."""
        while self._held is not None:
            await asyncio.shield(self._held)


class Call:
    """A session's stream on that line."""

    def __init__(self, line: Line, inner: Any) -> None:
        self._line = line
        self._inner = inner

    @property
    def address(self) -> str:
        """Of the state-tracker that serves it."""
        address: str = self._inner.address
        return address

    async def write(self, message: Any) -> None:
        """Send, once that is possible."""
        await self._line.passes()
        await self._inner.write(message)

    async def read(self) -> Any:
        """Receive; what came while the line was held is read after that."""
        message = await self._inner.read()
        await self._line.passes()
        return message

    @property
    def replicas(self) -> int:
        """How many state-trackers are known."""
        known: int = self._inner.replicas
        return known

    def avoid_replica(self) -> None:
        """Have later sessions go elsewhere."""
        self._inner.avoid_replica()

    def cancel(self) -> None:
        """Break it off."""
        self._inner.cancel()
