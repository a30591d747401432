"""The tasks that come and go: places, each of which runs one planned task after another."""

import asyncio

from longshore.client import client as clients
from longshore.drill import journal
from longshore.drill.agent import kinds, listening, plan, watching
from longshore.rpc import errors
from longshore.v1 import scheduler_service_pb2, task_pb2

REFUSED_PAUSE_S = 1.0
"""Before a task is asked for again that could not be placed: there is no room, or the agent is away."""

REASON = "the drill has seen enough of it"


class Crowd:
    """Runs the planned tasks. `definitions` names the task definition of each kind."""

    def __init__(
        self, client: clients.Client, watch: watching.Watch, notes: journal.Journal, definitions: dict[str, str]
    ) -> None:
        self.accepted: list[str] = []
        self._client = client
        self._watch = watch
        self._notes = notes
        self._definitions = definitions
        self._over = asyncio.Event()
        self._listeners: list[asyncio.Future[None]] = []

    def close(self) -> None:
        """Begin no further task."""
        self._over.set()

    async def keep(self, seed: int, place: int, longest_s: float) -> None:
        """Keep one place taken until it is over."""
        for planned in plan.tasks(seed, place, longest_s):
            if await self._rests(planned.pause_s):
                return
            task_id = await self.run(planned)
            if task_id is None:
                return
            if planned.stop_after_s is not None:
                stopped = self._watch.until(task_id, watching.STOPPED)
                try:
                    async with asyncio.timeout(planned.stop_after_s):
                        await stopped
                except TimeoutError:
                    await self.stop(task_id)
            await self._watch.until(task_id, watching.STOPPED)

    async def run(self, planned: plan.Planned, *, pause_s: float = REFUSED_PAUSE_S) -> str | None:
        """Have a task accepted, however often it has to be asked for; its id, None where it is over before."""
        request = scheduler_service_pb2.RunTaskRequest(
            cluster="default",
            task_definition=self._definitions[planned.kind],
            overrides=_overrides(planned),
            started_by="drill",
        )
        if kinds.KINDS[planned.kind].has_address:
            request.network_configuration.awsvpc_configuration.subnets.append("subnet-drill")
        refused = ""
        while True:
            try:
                answer = await self._client.call(self._client.scheduler.RunTask, request)
            except errors.ServiceError as error:
                said = f"{error.reason}: {error.message}"
            else:
                if answer.tasks:
                    break
                said = "; ".join(sorted({f"{failure.reason}: {failure.detail}" for failure in answer.failures}))
            if said != refused:
                self._notes.write("refused", key=planned.key, kind=planned.kind, said=said)
            refused = said
            if await self._rests(pause_s):
                return None
        task_id = answer.tasks[0].task_arn.rpartition("/")[2]
        self.accepted.append(task_id)
        self._notes.write(
            "accepted",
            task=task_id,
            key=planned.key,
            kind=planned.kind,
            code=planned.code,
            lasts=planned.lasts_s,
            cpu=kinds.KINDS[planned.kind].cpu,
            memory=kinds.KINDS[planned.kind].memory,
        )
        if kinds.KINDS[planned.kind].talks:
            self._listeners.append(
                asyncio.ensure_future(listening.listen(self._client, self._watch, self._notes, task_id))
            )
        return task_id

    async def listened(self) -> None:
        """Wait until all that was written has been read."""
        await asyncio.gather(*self._listeners)

    async def stop(self, task_id: str) -> None:
        """Ask for a task's end."""
        self._notes.write("stop", task=task_id)
        request = scheduler_service_pb2.StopTaskRequest(cluster="default", task=task_id, reason=REASON)
        await self._client.call(self._client.scheduler.StopTask, request)
        self._notes.write("stop answered", task=task_id)

    async def _rests(self, seconds: float) -> bool:
        """Wait; whether it is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True


def _overrides(planned: plan.Planned) -> task_pb2.TaskOverride:
    told = {"DRILL_KEY": planned.key, "DRILL_LASTS": str(planned.lasts_s), "DRILL_CODE": str(planned.code)}
    overrides = task_pb2.TaskOverride()
    for part in kinds.KINDS[planned.kind].parts:
        override = overrides.container_overrides.add(name=part)
        for name, value in told.items():
            override.environment.add(name=name, value=value)
    return overrides
