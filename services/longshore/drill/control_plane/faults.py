"""What goes wrong, and how it is undone: one pair of acts for each fault."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from longshore.drill import programs
from longshore.drill.control_plane import plan, replicas, world

LOST_SHARE = 0.5
"""Of the messages, while messages are lost."""

_CLOCK_S = (60.0, 900.0)
"""By how much a clock is off, either way."""

_HALF, _THIRD = 0.5, 1 / 3
_ASKED_S = 2.0
"""How long to ask who leads, of a database that may be away."""

Details = dict[str, Any]

_REPLICAS = {
    plan.Fault.LEADER_KILL: replicas.SCHEDULER,
    plan.Fault.LEADER_PAUSE: replicas.SCHEDULER,
    plan.Fault.STANDBY_KILL: replicas.SCHEDULER,
    plan.Fault.STANDBY_PAUSE: replicas.SCHEDULER,
    plan.Fault.TRACKER_KILL: replicas.TRACKER,
    plan.Fault.TRACKER_PAUSE: replicas.TRACKER,
    plan.Fault.REGISTRY_KILL: replicas.REGISTRY,
    plan.Fault.REGISTRY_PAUSE: replicas.REGISTRY,
}
_OF_STANDBY = {plan.Fault.STANDBY_KILL, plan.Fault.STANDBY_PAUSE}


class Hand:
    """Does it to a world. What begins a fault gives what its end needs to know, and the journal tells."""

    def __init__(self, struck: world.World) -> None:
        self._world = struck

    # ------------------------------------------------------------------------------------------------ replicas

    async def kill(self, blow: plan.Blow) -> Details:
        """End a replica as a crash would."""
        name = await self._chosen(blow)
        await self._world.replicas[name].service.kill()
        return {"of": name}

    async def restart(self, _: plan.Blow, done: Details) -> None:
        """Let it be started again, and wait until it answers."""
        self._world.replicas[done["of"]].service.release()
        await self._world.serving(done["of"])

    async def freeze(self, blow: plan.Blow) -> Details:
        """Stop a replica in its tracks."""
        name = await self._chosen(blow)
        self._world.replicas[name].service.freeze()
        return {"of": name}

    async def thaw(self, _: plan.Blow, done: Details) -> None:
        """Let it go on."""
        self._world.replicas[done["of"]].service.thaw()

    async def shift_clock(self, blow: plan.Blow) -> Details:
        """Let the clock of a replica jump."""
        name = replicas.NAMES[int(blow.draw * len(replicas.NAMES))]
        least, most = _CLOCK_S
        seconds = (least + abs(2 * blow.variant - 1) * (most - least)) * (-1 if blow.variant < _HALF else 1)
        self._world.replicas[name].set_clock(seconds)
        return {"of": name, "seconds": round(seconds, 1)}

    async def set_clock(self, _: plan.Blow, done: Details) -> None:
        """Let it jump back."""
        self._world.replicas[done["of"]].set_clock(0.0)

    async def _chosen(self, blow: plan.Blow) -> str:
        """The replica that a fault concerns: by the draw, or by who leads."""
        kind = _REPLICAS[blow.fault]
        if kind != replicas.SCHEDULER:
            return f"{kind}-{1 + int(blow.draw * len(replicas.NUMBERS))}"
        leader = await self._leader()
        return replicas.twin_of(leader) if blow.fault in _OF_STANDBY else leader

    async def _leader(self) -> str:
        """Which scheduler leads, by the table; the first where nobody can say."""
        with contextlib.suppress(programs.Failed, TimeoutError):
            async with asyncio.timeout(_ASKED_S):
                rows = await self._world.database.rows("SELECT address FROM leases WHERE cluster = 'default'")
            for row in rows:
                return self._world.advertised.get(row["address"], f"{replicas.SCHEDULER}-1")
        return f"{replicas.SCHEDULER}-1"

    # ------------------------------------------------------------------------------------------------ database

    async def stop_database(self, _: plan.Blow) -> Details:
        """Shut it down as an upgrade of its package does: every connection ends."""
        await self._world.database.service.kill(signal.SIGINT)
        return {}

    async def crash_database(self, blow: plan.Blow) -> Details:
        """End it without a checkpoint, kill its first process, or one that serves a connection, after which it begins anew by itself."""
        served = self._world.database.service
        if blow.variant < _THIRD:
            await served.kill(signal.SIGQUIT)
            return {"how": "immediate"}
        if blow.variant < 2 * _THIRD or not (backends := served.children()):
            await served.kill()
            return {"how": "postmaster killed"}
        with contextlib.suppress(ProcessLookupError):
            os.kill(backends[int(blow.draw * len(backends))], signal.SIGKILL)
        return {"how": "backend killed"}

    async def start_database(self, _: plan.Blow, __: Details) -> None:
        """Let it be started again, and wait until it takes connections."""
        self._world.database.service.release()
        await self._world.database.ready()

    async def freeze_database(self, _: plan.Blow) -> Details:
        """Stop all of its processes in their tracks."""
        self._world.database.service.freeze()
        return {}

    async def thaw_database(self, _: plan.Blow, __: Details) -> None:
        """Let them go on."""
        self._world.database.service.thaw()

    # ------------------------------------------------------------------------------------------------ events

    async def kill_events(self, _: plan.Blow) -> Details:
        """End the bus as a crash would."""
        await self._world.events.service.kill()
        return {}

    async def start_events(self, _: plan.Blow, __: Details) -> None:
        """Let it be started again."""
        self._world.events.service.release()

    async def freeze_events(self, _: plan.Blow) -> Details:
        """Stop it in its tracks."""
        self._world.events.service.freeze()
        return {}

    async def thaw_events(self, _: plan.Blow, __: Details) -> None:
        """Let it go on."""
        self._world.events.service.thaw()

    async def lose_messages(self, _: plan.Blow) -> Details:
        """Lose some of what is published, and tell nobody."""
        self._world.loss.share = LOST_SHARE
        return {}

    async def keep_messages(self, _: plan.Blow, __: Details) -> None:
        """Lose nothing any more."""
        self._world.loss.share = 0.0

    # ------------------------------------------------------------------------------------------------ lines, fleet

    async def cut(self, blow: plan.Blow) -> Details:
        """Break every connection between two, and refuse new ones."""
        pair = self._pair(blow)
        for one in self._world.laid.between(pair):
            await one.cut()
        return {"of": list(pair)}

    async def swallow(self, blow: plan.Blow) -> Details:
        """Let nothing through between two, with every connection open."""
        pair = self._pair(blow)
        for one in self._world.laid.between(pair):
            one.swallow()
        return {"of": list(pair)}

    async def deafen(self, blow: plan.Blow) -> Details:
        """Let through what is asked, and nothing that is answered."""
        pair = self._pair(blow)
        for one in self._world.laid.between(pair):
            one.deafen()
        return {"of": list(pair)}

    async def mend(self, _: plan.Blow, done: Details) -> None:
        """Let everything through again. What was held back comes late."""
        for one in self._world.laid.between(tuple(done["of"])):
            await one.mend()

    def _pair(self, blow: plan.Blow) -> tuple[str, str]:
        pairs = self._world.laid.pairs()
        return pairs[int(blow.draw * len(pairs))]

    async def freeze_fleet(self, _: plan.Blow) -> Details:
        """Stop every agent in its tracks."""
        self._world.fleet.freeze()
        return {}

    async def thaw_fleet(self, _: plan.Blow, __: Details) -> None:
        """Let them go on."""
        self._world.fleet.thaw()


Begin = Callable[[Hand, plan.Blow], Awaitable[Details]]
End = Callable[[Hand, plan.Blow, Details], Awaitable[None]]

ACTS: dict[plan.Fault, tuple[Begin, End]] = {
    plan.Fault.LEADER_KILL: (Hand.kill, Hand.restart),
    plan.Fault.STANDBY_KILL: (Hand.kill, Hand.restart),
    plan.Fault.TRACKER_KILL: (Hand.kill, Hand.restart),
    plan.Fault.REGISTRY_KILL: (Hand.kill, Hand.restart),
    plan.Fault.LEADER_PAUSE: (Hand.freeze, Hand.thaw),
    plan.Fault.STANDBY_PAUSE: (Hand.freeze, Hand.thaw),
    plan.Fault.TRACKER_PAUSE: (Hand.freeze, Hand.thaw),
    plan.Fault.REGISTRY_PAUSE: (Hand.freeze, Hand.thaw),
    plan.Fault.DATABASE_RESTART: (Hand.stop_database, Hand.start_database),
    plan.Fault.DATABASE_CRASH: (Hand.crash_database, Hand.start_database),
    plan.Fault.DATABASE_PAUSE: (Hand.freeze_database, Hand.thaw_database),
    plan.Fault.EVENTS_RESTART: (Hand.kill_events, Hand.start_events),
    plan.Fault.EVENTS_PAUSE: (Hand.freeze_events, Hand.thaw_events),
    plan.Fault.EVENTS_LOST: (Hand.lose_messages, Hand.keep_messages),
    plan.Fault.LINE_CUT: (Hand.cut, Hand.mend),
    plan.Fault.LINE_HOLE: (Hand.swallow, Hand.mend),
    plan.Fault.LINE_DEAF: (Hand.deafen, Hand.mend),
    plan.Fault.CLOCK_OFF: (Hand.shift_clock, Hand.set_clock),
    plan.Fault.FLEET_PAUSE: (Hand.freeze_fleet, Hand.thaw_fleet),
}
"""How each begins, and how it ends."""
