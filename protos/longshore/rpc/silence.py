"""Whether the replica in use is frozen: it holds the connection and answers nothing, not even whether it is well.

A frozen process (SIGSTOP, a virtual machine that is moved) keeps its connections, and the keep-alive takes fifteen seconds to tell. So
where there are several replicas, a call that has waited for a moment has the health of all of them asked for. One that says nothing, while another
answers, is left: its calls are given up as lost, for whoever made them to repeat, and the next ones go to another. A call that
takes long at a replica that is well is left alone; and so is everything where none answers, for then it may be this process that was frozen.
"""

import asyncio
from typing import Any, Protocol

import grpc
import grpc.aio
import structlog

from longshore.rpc import replicas

SILENCE_S = 0.5
"""A call that has waited so long gives reason to ask. Most answers take milliseconds."""

PROBE_TIMEOUT_S = 0.75
"""A health check that takes longer is not answered."""

LOOK_S = 0.25
"""Pause between two looks at the calls under way."""

TRUSTED_S = 1.0
"""A replica that was well is not asked again for so long."""

_log = structlog.get_logger(__name__)


class Waiting(Protocol):
    """A call that waits for its answer."""

    def give_up(self) -> None:
        """End it as one that was lost."""


class Silence:
    """The calls under way of one channel."""

    def __init__(self, pool: replicas.Replicas) -> None:
        self._pool = pool
        self._calls: dict[Waiting, tuple[int, float]] = {}
        self._well_until: dict[int, float] = {}
        self._watching: asyncio.Task[None] | None = None

    def begin(self, call: Waiting, index: int) -> None:
        """A call waits for the answer of a replica."""
        self._calls[call] = (index, asyncio.get_running_loop().time())
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="watch calls")

    def end(self, call: Waiting) -> None:
        """It has it, or will not have it."""
        self._calls.pop(call, None)

    async def close(self) -> None:
        """Watch no longer."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))

    async def _watch(self) -> None:
        """Look at what waits, until nothing does."""
        now = asyncio.get_running_loop().time
        while self._calls:
            await asyncio.sleep(LOOK_S)
            moment = now()
            for index in sorted({index for index, began in self._calls.values() if moment - began > SILENCE_S}):
                if self._well_until.get(index, 0.0) > moment:
                    continue
                if await self._frozen(index):
                    self._leave(index, moment)
                else:
                    self._well_until[index] = now() + TRUSTED_S

    def _leave(self, index: int, asked_at: float) -> None:
        waiting = [call for call, (at, began) in self._calls.items() if at == index and began <= asked_at]
        _log.warning("replica_is_silent", address=self._pool.addresses[index], calls=len(waiting))
        self._pool.avoid(index)
        for call in waiting:
            call.give_up()

    async def _frozen(self, index: int) -> bool:
        """Whether this one says nothing, and another does."""
        everyone = range(len(self._pool.addresses))
        answers = await asyncio.gather(*(self._ask(other) for other in everyone))
        return answers[index] is None and any(answers[other] for other in everyone if other != index)

    async def _ask(self, index: int) -> bool | None:
        """Whether a replica is well; None where it has the question and does not answer."""
        # Only whoever has several replicas ever needs them; an agent's memory is dear.
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        stub: Any = health_pb2_grpc.HealthStub(self._pool.channel(index))
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return None if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else False
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return False  # its channel was closed under us: it is dialled no more
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
