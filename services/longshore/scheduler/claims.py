"""Client tokens in flight: a repetition joins the request that is under way, in the memory of the leader."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from longshore.rpc import errors
from longshore.scheduler import answers, metrics, tokens

CONFLICTING = 10
"""Tasks that a conflict names: it travels in the trailers of a call, which are bounded."""

Spawn = Callable[[str, Coroutine[Any, Any, None]], object]
"""Starts work that outlives its caller, as `loops.Supervisor.spawn` does."""


@dataclass(frozen=True, slots=True)
class _Running:
    fingerprint: bytes
    answer: "asyncio.Future[answers.PlacingResponse]"


class Claims:
    """Requests under way, by their tokens. They go on when their callers give up, since a repetition may have joined."""

    def __init__(self, spawn: Spawn, measured: metrics.Metrics | None = None) -> None:
        self._spawn = spawn
        self._metrics = measured if measured is not None else metrics.Metrics()
        self._running: dict[tokens.Key, _Running] = {}

    async def once(
        self, key: tokens.Key, fingerprint: bytes, work: Callable[[], Awaitable[answers.PlacingResponse]]
    ) -> answers.PlacingResponse:
        """The answer of `work`, or of the same request that is under way. Raises ConflictException for another one that placed."""
        while True:
            running = self._running.get(key)
            if running is None:
                running = self._start(key, fingerprint, work)
            elif running.fingerprint == fingerprint:
                self._metrics.tokens["joined"] += 1
            if running.fingerprint == fingerprint:
                return await asyncio.shield(running.answer)
            await self._see_off(key, running)

    def _start(
        self, key: tokens.Key, fingerprint: bytes, work: Callable[[], Awaitable[answers.PlacingResponse]]
    ) -> _Running:
        running = self._running[key] = _Running(fingerprint, asyncio.get_running_loop().create_future())
        # A failure that nobody has waited for is not worth a warning: the repetition asks again.
        running.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        self._spawn(f"placing {key.operation}", self._settle(key, running, work))
        return running

    async def _settle(
        self, key: tokens.Key, running: _Running, work: Callable[[], Awaitable[answers.PlacingResponse]]
    ) -> None:
        try:
            answer = await work()
        except asyncio.CancelledError:
            running.answer.set_exception(errors.Unavailable("The scheduler is stopping; repeat the call."))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the caller's answer
            running.answer.set_exception(error)
        else:
            running.answer.set_result(answer)
        finally:
            del self._running[key]

    async def _see_off(self, key: tokens.Key, running: _Running) -> None:
        """Wait for a different request under the same token; what placed something keeps the token."""
        try:
            answer = await asyncio.shield(running.answer)
        except errors.ServiceError:
            return
        if answers.arns_of(answer):
            self._metrics.tokens["conflict"] += 1
            raise conflict(key, answer)


def conflict(key: tokens.Key, answer: answers.PlacingResponse) -> errors.ConflictException:
    """What a different request under a used token is told."""
    return errors.ConflictException(
        f"The client token {key.token} was used for a different request.",
        resourceIds=",".join(answers.arns_of(answer)[:CONFLICTING]),
    )
