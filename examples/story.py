"""What a program does with Longshore, from its first registration to a deadline: the same story as the examples of clients/, in the
same lines.

    python examples/story.py FAMILY
"""

import asyncio
import contextlib
import re
import sys

from longshore.client import Client, NotPlacedError, errors, results

COUNT = "trap 'exit 0' TERM; for word in one two three; do echo $word; sleep 0.3; done; exit 3"
SLEEP = "trap 'exit 0' TERM; sleep 600 & wait"
DEADLINE_S = 1.0


class Story:
    """One telling, with tasks of one family."""

    def __init__(self, longshore: Client, family: str) -> None:
        self.longshore = longshore
        self.family = family

    async def tell(self) -> None:
        """All of it."""
        container = {"name": "main", "image": "busybox", "cpu": 16, "memory": 16, "command": ["sh", "-c", COUNT]}
        made = await self.longshore.register({"family": self.family, "containerDefinitions": [container]})
        print(f"registered {made.family}:{made.revision}", flush=True)
        await self.run_and_wait()
        await self.watch_over_a_restart()
        await self.be_refused()
        await self.ask_for_less()
        await self.keep_a_deadline()

    async def run_and_wait(self) -> None:
        """Run, read, wait."""
        run = await self.longshore.run(self.family)
        await self.longshore.wait_tasks_running(run)
        print("task: RUNNING", flush=True)
        async for line in self.longshore.lines(run, follow=True):
            print("log:", line.text, flush=True)
        await self.tell_end(run)

    async def watch_over_a_restart(self) -> None:
        """Follow everything that happens in the cluster while its server is started anew."""
        run = await self.longshore.run(self.family, command=["sh", "-c", SLEEP])
        last, running = 0, False
        async for event in self.longshore.events(cursor=run.cursor):
            if last and event.sequence != last + 1:
                raise SystemExit(f"after event {last} came {event.sequence}")
            last = event.sequence
            if event.task.task_id != run.task.task_id:
                continue
            status = results.status(event.task)
            if status == "RUNNING" and not running:
                running = True
                print("watch: RUNNING\nrestart the server now, then press Enter", flush=True)
                await asyncio.to_thread(sys.stdin.readline)
                await self.longshore.stop(run.task, reason="the story goes on")
            elif status == "STOPPED":
                code = results.stop_code(event.task)
                print(f"watch: STOPPED, {_upper(code)}, {event.task.stopped_reason}", flush=True)
                print("watch: nothing was missing and nothing came twice", flush=True)
                return

    async def be_refused(self) -> None:
        """Name a cluster that there is not."""
        try:
            await self.longshore.run(self.family, cluster=self.family)
        except errors.ClusterNotFoundException as error:
            print(f"refused: {error.reason}, cluster {self.family}", flush=True)

    async def ask_for_less(self) -> None:
        """Act on the reason for which nothing was placed."""
        override = {"name": "main", "cpu": 1 << 20, "command": ["true"]}
        try:
            await self.longshore.run(self.family, overrides={"containerOverrides": [override]})
        except NotPlacedError as error:
            if error.reason != "RESOURCE:CPU":
                raise
            print("not placed: RESOURCE:CPU, so with 16 CPU units", flush=True)
        await self.tell_end(
            await self.longshore.run(self.family, overrides={"containerOverrides": [override | {"cpu": 16}]})
        )

    async def keep_a_deadline(self) -> None:
        """Give up what takes too long."""
        run = await self.longshore.run(self.family, command=["sh", "-c", SLEEP])
        await self.longshore.wait_tasks_running(run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_S):
                async for _ in self.longshore.lines(run, follow=True):
                    pass
                raise SystemExit("the log should not have ended")
        print("deadline: DEADLINE_EXCEEDED", flush=True)
        await self.longshore.stop(run.task)
        await self.tell_end(run)

    async def tell_end(self, run: results.Run) -> None:
        """Wait for the end, and tell it."""
        (task,) = await self.longshore.wait_tasks_stopped(run)
        print(f"task: STOPPED, exit code {task.exit_code}, {_upper(task.stop_code)}", flush=True)


def _upper(word: str) -> str:
    """EssentialContainerExited → ESSENTIAL_CONTAINER_EXITED, as the languages that have no words of ECS write it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", word).upper()


async def main(family: str) -> None:
    """Connect, and tell."""
    async with Client() as longshore:
        await Story(longshore, family).tell()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else "story"))
