"""Run a task, print what it writes, and tell its exit code."""

import asyncio

from longshore.client import Client

HELLO = {
    "family": "hello",
    "containerDefinitions": [
        {"name": "hello", "image": "busybox", "memory": 16, "command": ["sh", "-c", "echo hello; exit 7"]}
    ],
}


async def main() -> None:
    """Against the control plane that the environment names, or this machine's."""
    async with Client() as longshore:
        run = await longshore.run(HELLO)
        async for line in longshore.lines(run, follow=True):
            print(line.text)
        (task,) = await longshore.wait_tasks_stopped(run)
        print("exit code", task.exit_code)


asyncio.run(main())
