"""When an agent comes again: not before it was told to, and not in the same moment as all others."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest

from longshore.agent import session, stored
from longshore.rpc import errors
from longshore.v1 import agent_service_pb2

IDENTITY = stored.Identity("i" * 32, "arn", "web", "secret")
AGENTS = 200


class Enough(Exception):  # noqa: N818 - named by what it says
    """The pauses that a test asks for have been taken."""


class Ending:
    """A session's stream: a welcome where there is one, then its end."""

    address = "127.0.0.1:1"
    replicas = 2

    def __init__(self, welcome: agent_service_pb2.Welcome | None, error: errors.ServiceError) -> None:
        self._said = [agent_service_pb2.SessionResponse(welcome=welcome)] if welcome is not None else []
        self._error = error
        self.avoided = False
        self.hello = agent_service_pb2.Hello()

    async def write(self, message: Any) -> None:
        """Keep the hello."""
        self.hello = message.hello

    async def read(self) -> Any:
        """What there is to say, then the end."""
        if self._said:
            return self._said.pop()
        raise self._error

    def avoid_replica(self) -> None:
        """Note it."""
        self.avoided = True

    def cancel(self) -> None:
        """Nothing is under way."""


async def pauses_of(seed: int, calls: list[Ending], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that an agent makes after each of these calls."""
    taken: list[float] = []
    left = iter(calls)
    real = asyncio.sleep
    mine = asyncio.current_task()

    async def sleep(delay: float, *_: Any) -> None:
        # Others of this process, a thread's loop that a test before has left running, sleep by themselves.
        if delay <= 0 or asyncio.current_task() is not mine:
            await real(delay)
            return
        taken.append(delay)
        if len(taken) == len(calls):
            raise Enough

    monkeypatch.setattr(asyncio, "sleep", sleep)
    told = SimpleNamespace(reopen=lambda _: False, next=lambda _: None, due=False)
    host = SimpleNamespace(
        missed=False, orphans=(), revision=4, lineage=1, reports=told, observe=None, fresh_statistics=lambda: None
    )
    held = session.Sessions(
        stub=SimpleNamespace(Session=lambda: next(left)),
        host=host,  # type: ignore[arg-type]
        due=asyncio.Event(),
        process_id="p",
        agent_version="",
        source=random.Random(seed),
        opened=SimpleNamespace(),  # type: ignore[arg-type]
    )
    with pytest.raises(Enough):
        await held.keep(IDENTITY)
    monkeypatch.undo()
    return taken


async def test_those_that_were_given_a_moment_come_then_or_a_little_later_each_at_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = errors.ResourceExhausted("full", **{errors.RETRY_AFTER_MS: 2000})
    taken = [(await pauses_of(seed, [Ending(None, full)], monkeypatch))[0] for seed in range(AGENTS)]
    assert all(2.0 <= pause_s <= 2.5 for pause_s in taken)
    assert len(set(taken)) == AGENTS
    assert max(taken) - min(taken) > 0.4


@pytest.mark.parametrize(("heartbeat_ms", "ceiling_s"), [(1_000, 0.1), (20_000, 2.0)], ids=["few", "many"])
async def test_agents_that_lost_their_tracker_spread_over_more_time_the_more_of_them_it_had(
    monkeypatch: pytest.MonkeyPatch, heartbeat_ms: int, ceiling_s: float
) -> None:
    welcome = agent_service_pb2.Welcome(session_epoch=1, heartbeat_interval_ms=heartbeat_ms, lease_ms=60_000)
    gone = errors.Unavailable("gone")
    taken = [(await pauses_of(seed, [Ending(welcome, gone)], monkeypatch))[0] for seed in range(AGENTS)]
    assert max(taken) <= ceiling_s
    assert max(taken) > 0.8 * ceiling_s
    assert min(taken) < 0.2 * ceiling_s


async def test_an_agent_that_was_asked_to_move_does_so_and_is_not_asked_again_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = [Ending(None, errors.Unavailable("move", **{errors.MOVE: 1})), Ending(None, errors.Unavailable("gone"))]
    await pauses_of(1, calls, monkeypatch)
    assert calls[0].avoided
    assert [call.hello.may_move for call in calls] == [True, False]
    alone = Ending(None, errors.Unavailable("gone"))
    alone.replicas = 1
    await pauses_of(1, [alone], monkeypatch)
    assert not alone.hello.may_move


async def test_a_tracker_that_leaves_is_avoided_and_one_that_is_full_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving, full = Ending(None, errors.Unavailable("leaving")), Ending(None, errors.ResourceExhausted("full"))
    await pauses_of(1, [leaving, full], monkeypatch)
    assert (leaving.avoided, full.avoided) == (True, False)
