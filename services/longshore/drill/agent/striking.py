"""Strikes as planned, and measures how long the host then takes to work again."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from longshore.drill import journal
from longshore.drill.agent import crowd, faults, kinds, plan, watching, world

RECOVERY_BOUND_S = 180.0
"""A host that has not run a task by then has not recovered."""

PROBE_PAUSE_S = 0.1
"""Before a probe is asked for again: what is measured is the host, not the patience of who asks."""


class Striker:
    """Strikes a world."""

    def __init__(
        self,
        struck: world.World,
        watch: watching.Watch,
        tasks: crowd.Crowd,
        notes: journal.Journal,
        live_restore: Callable[[], bool],
    ) -> None:
        """`live_restore` says with which setting the engine comes back."""
        self._hand = faults.Hand(struck, watch, live_restore)
        self._watch = watch
        self._crowd = tasks
        self._notes = notes

    async def strike(self, strike: plan.Strike) -> None:
        """All that goes wrong at once; returns when the host works again, or has not for too long."""
        names = [blow.fault.value for blow in strike.blows]
        self._notes.write("struck", strike=strike.number, faults=names)
        details = await asyncio.gather(*(self._blow(strike, blow) for blow in strike.blows))
        lifted = self._notes.write("lifted", strike=strike.number)
        began = time.monotonic()
        try:
            async with asyncio.timeout(RECOVERY_BOUND_S):
                await self._recovered(
                    strike, [(told["task"], told["runtime_id"]) for told in details if "task" in told]
                )
        except TimeoutError:
            self._notes.write("not recovered", strike=strike.number, faults=names, bound=RECOVERY_BOUND_S)
        else:
            took = round(time.monotonic() - began, 3)
            self._notes.write("recovered", strike=strike.number, faults=names, lifted=lifted, took=took)

    async def _recovered(self, strike: plan.Strike, removed: list[tuple[str, str]]) -> None:
        """A new task has run, and what was removed is told to have ended."""
        probe = plan.Planned(f"probe-{strike.number}", kinds.PROBE.name, 0.0, 0.0, 0, None)
        task_id = await self._crowd.run(probe, pause_s=PROBE_PAUSE_S)
        for of_task, runtime_id in removed:
            await self._watch.until_ended(of_task, runtime_id)
        if task_id is not None:
            await self._watch.until(task_id, watching.STOPPED)

    async def _blow(self, strike: plan.Strike, blow: plan.Blow) -> dict[str, Any]:
        """One fault, from beginning to end; what is to be told of it."""
        await asyncio.sleep(blow.delay_s)
        begin, end = faults.ACTS[blow.fault]
        details = await begin(self._hand, blow) or {}
        self._notes.write("blow", strike=strike.number, fault=blow.fault.value, hold=blow.hold_s, **details)
        await asyncio.sleep(blow.hold_s)
        ended = await end(self._hand, blow) or {}
        self._notes.write("blow over", strike=strike.number, fault=blow.fault.value, **ended)
        return details
