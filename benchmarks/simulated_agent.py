"""An agent without containers, in a process of its own: `python -m benchmarks.simulated_agent STATE_TRACKER CLUSTER`.

What is assigned runs at once. It says `connected` on standard output when its instance takes tasks, and goes on until it is ended.
"""

import asyncio
import sys

from tests.fuzz import agents


async def _run(tracker: str, cluster: str) -> None:
    identity = await agents.register(tracker, cluster)
    async with agents.connected(tracker, identity):
        print("connected", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
