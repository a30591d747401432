"""What goes wrong, and how it is undone: one pair of acts for each fault."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from longshore.drill import programs
from longshore.drill.agent import plan, watching, world

WHOLE = 0.5
"""How often an engine takes its containerd with it."""


class Hand:
    """Does it to a world."""

    def __init__(self, struck: world.World, watch: watching.Watch, live_restore: Callable[[], bool]) -> None:
        """`live_restore` says with which setting the engine comes back."""
        self._world = struck
        self._watch = watch
        self._live_restore = live_restore

    async def kill_agent(self, _: plan.Blow) -> None:
        """End the agent as a crash would."""
        await self._world.agent.kill()

    async def release_agent(self, _: plan.Blow) -> None:
        """Let it be started again."""
        self._world.agent.release()

    async def kill_engine(self, blow: plan.Blow) -> dict[str, Any]:
        """End the engine as a crash would, sometimes with its containerd."""
        whole = blow.draw < WHOLE
        await self._world.engine.kill(whole=whole)
        return {"containerd": whole}

    async def start_engine(self, _: plan.Blow) -> dict[str, Any]:
        """Start it again."""
        live_restore = self._live_restore()
        await self._world.engine.start(live_restore=live_restore)
        return {"live_restore": live_restore}

    async def freeze_engine(self, _: plan.Blow) -> None:
        """Stop the engine in its tracks."""
        self._world.engine.freeze()

    async def thaw_engine(self, _: plan.Blow) -> None:
        """Let it go on."""
        self._world.engine.thaw()

    async def cut(self, _: plan.Blow) -> None:
        """Break the session, and refuse new ones."""
        await self._world.line.cut()

    async def swallow(self, _: plan.Blow) -> None:
        """Let nothing through any more, with every connection open."""
        self._world.line.swallow()

    async def mend(self, _: plan.Blow) -> None:
        """Let everything through again."""
        await self._world.line.mend()

    async def fill_agent_disk(self, _: plan.Blow) -> dict[str, Any]:
        """Leave no block free where the agent keeps its state."""
        return {"bytes": await asyncio.to_thread(self._world.agent_disk.fill)}

    async def free_agent_disk(self, _: plan.Blow) -> None:
        """Give them back."""
        self._world.agent_disk.free()

    async def fill_engine_disk(self, _: plan.Blow) -> dict[str, Any]:
        """Leave no block free where the engine keeps everything."""
        return {"bytes": await asyncio.to_thread(self._world.engine_disk.fill)}

    async def free_engine_disk(self, _: plan.Blow) -> None:
        """Give them back."""
        self._world.engine_disk.free()

    async def remove_container(self, blow: plan.Blow) -> dict[str, Any]:
        """Remove one of the containers that run, as somebody would who does not know whose it is."""
        running = self._watch.running()
        if not running:
            return {}
        task_id, runtime_id = running[int(blow.draw * len(running))]
        self._world.engine.verify()
        try:
            await self._world.engine.docker("rm", "--force", runtime_id)
        except programs.Failed as error:
            return {"task": task_id, "runtime_id": runtime_id, "said": str(error)}
        return {"task": task_id, "runtime_id": runtime_id}

    async def nothing(self, _: plan.Blow) -> None:
        """Nothing: a fault that is over as it happens."""


Act = Callable[[Hand, plan.Blow], Awaitable[dict[str, Any] | None]]

ACTS: dict[plan.Fault, tuple[Act, Act]] = {
    plan.Fault.AGENT_KILL: (Hand.kill_agent, Hand.release_agent),
    plan.Fault.ENGINE_KILL: (Hand.kill_engine, Hand.start_engine),
    plan.Fault.ENGINE_PAUSE: (Hand.freeze_engine, Hand.thaw_engine),
    plan.Fault.SESSION_CUT: (Hand.cut, Hand.mend),
    plan.Fault.SESSION_HOLE: (Hand.swallow, Hand.mend),
    plan.Fault.AGENT_DISK_FULL: (Hand.fill_agent_disk, Hand.free_agent_disk),
    plan.Fault.ENGINE_DISK_FULL: (Hand.fill_engine_disk, Hand.free_engine_disk),
    plan.Fault.CONTAINER_REMOVE: (Hand.remove_container, Hand.nothing),
}
"""How each begins, and how it ends."""
