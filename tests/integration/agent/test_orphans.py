"""Children that nobody waits for."""

import asyncio
import os
import subprocess
import sys

from longshore.agent import orphans

BOUND_S = 20.0


async def test_what_nobody_waits_for_is_reaped_and_what_somebody_does_keeps_its_exit_code() -> None:
    """In a process of its own, whose children are known."""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["[7, 7, 7]"], "")


_PROGRAM = """
import asyncio, os
from longshore.agent import orphans

async def waited() -> int:
    process = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
    return await process.wait()

async def main() -> None:
    me = os.getpid()
    loop = asyncio.create_task(orphans.reap(patience_s=0.1, parent=me))
    await asyncio.sleep(0)
    for _ in range(3):
        os.posix_spawn("/bin/true", ["true"], {})
    codes = [await waited() for _ in range(3)]
    async with asyncio.timeout(10):
        while orphans.zombies(me):
            await asyncio.sleep(0.02)
    print(codes)
    loop.cancel()

asyncio.run(main())
"""


def test_a_zombie_is_its_parents_alone() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert child in orphans.zombies(os.getpid())
        assert child not in orphans.zombies(os.getpid() + 1)
    finally:
        os.waitpid(child, 0)
