"""Strikes as planned, and measures how long the control plane then takes to work again."""

import asyncio
import time

from longshore.drill import journal
from longshore.drill.control_plane import callers, faults, plan, watching, world

RECOVERY_BOUND_S = 60.0
"""A control plane that has not placed a task and had it run by then has not recovered."""


class Striker:
    """Strikes a world."""

    def __init__(
        self, struck: world.World, progress: watching.Progress, probing: callers.Caller, notes: journal.Journal
    ) -> None:
        self._hand = faults.Hand(struck)
        self._progress = progress
        self._probing = probing
        self._notes = notes

    async def strike(self, strike: plan.Strike) -> None:
        """All that goes wrong at once; returns when a task was placed and runs again, or has not for too long."""
        names = [blow.fault.value for blow in strike.blows]
        await asyncio.gather(*(self._blow(strike, blow) for blow in strike.blows))
        began = time.monotonic()
        lifted = self._notes.write("lifted", strike=strike.number)
        try:
            async with asyncio.timeout(RECOVERY_BOUND_S):
                task_id = await self._probing.probe(f"probe-{strike.number}")
                accepted = round(time.monotonic() - began, 3)
                await self._progress.until_running(task_id)
        except TimeoutError:
            self._notes.write("not recovered", strike=strike.number, faults=names, bound=RECOVERY_BOUND_S)
        else:
            took = round(time.monotonic() - began, 3)
            self._notes.write(
                "recovered", strike=strike.number, faults=names, lifted=lifted, accepted=accepted, took=took
            )

    async def _blow(self, strike: plan.Strike, blow: plan.Blow) -> None:
        """One fault, from beginning to end."""
        await asyncio.sleep(blow.delay_s)
        begin, end = faults.ACTS[blow.fault]
        done = await begin(self._hand, blow)
        self._notes.write("blow", strike=strike.number, fault=blow.fault.value, hold=blow.hold_s, **done)
        await asyncio.sleep(blow.hold_s)
        await end(self._hand, blow, done)
        self._notes.write("blow over", strike=strike.number, fault=blow.fault.value)
