"""The course of a control plane's drill: begin, strike while clients call and hosts fail, heal, look at everything, judge."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from longshore.client import client as clients
from longshore.client import connection, waiting
from longshore.drill import journal, on_host, remains
from longshore.drill.control_plane import (
    callers,
    checks,
    config,
    families,
    history,
    plan,
    replicas,
    report,
    rows,
    striking,
    watching,
    world,
)
from longshore.rpc import loops
from longshore.v1 import registry_service_pb2, state_tracker_service_pb2

CALLERS = 16
"""Clients at a time."""

CONNECTED_BOUND_S = 120.0
END_BOUND_S = 120.0
"""From the last fault's end until all has stopped: hosts come back, and those that were given up let go."""

_TICK_S, _LATE_S = 0.2, 0.5
_MINUTE = 60.0
_STOPS_AT_ONCE = 16
_LAST_CALLS_S = 60.0
"""What is under way when it is over ends by its own deadline, half of that."""


async def run(options: config.ControlPlane, seed: int, logs: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Hold a drill; the outcome."""
    notes = journal.Journal(logs / "journal.jsonl")
    notes.write("began", seed=seed, clock=time.time(), options=options.shown())
    for folder in await remains.remove():
        say(f"Put back what a drill had left that was killed: {folder}.")
    home: Path | None = None
    try:
        async with world.made(options, seed, logs, notes) as made:
            home = made.home
            await _drill(options, seed, made, notes, say)
    finally:
        if home is not None:
            notes.write("left", found=on_host.found(home))
        notes.close()
    found = history.of(notes.records)
    return report.document(found, checks.judge(found), seed=seed, minutes=round(notes.now() / _MINUTE, 1))


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who has to do with it."""

    client: clients.Client
    progress: watching.Progress
    watchers: list[watching.Watcher]
    calling: list[callers.Caller]
    probing: callers.Caller


async def _drill(
    options: config.ControlPlane, seed: int, made: world.World, notes: journal.Journal, say: Callable[[str], None]
) -> None:
    async with loops.supervised() as supervisor:
        supervisor.start("lateness", lambda: _note_lateness(notes))
        await _start(made, supervisor)
        async with _cast(made, notes, supervisor) as cast:
            for family, containers in {**families.DEFINITIONS, families.PROBE: families.PROBE_CONTAINERS}.items():
                await cast.probing.define(family, containers)
            supervisor.start("fleet", made.fleet.keep_running)
            async with asyncio.timeout(CONNECTED_BOUND_S):
                await cast.progress.until_connected(options.instances)
            await _note_capacity(cast.client, notes, cast.progress.instances[0])
            say(f"{options.instances} agents have joined; clients call.")
            await _strike_for_a_while(options, seed, made, cast, notes, say)
            say("No more faults; what still runs is stopped.")
            await _end(made, cast, notes)
            await _leave(made)


async def _start(made: world.World, supervisor: loops.Supervisor) -> None:
    """Start everything but the fleet, in the order in which one needs the other."""
    supervisor.start("database", made.database.service.keep_running)
    await made.database.ready()
    supervisor.start("events", made.events.service.keep_running)
    # The first makes the tables and the key that the others share.
    first, *others = replicas.NAMES
    for names in ([first], others):
        for name in names:
            supervisor.start(name, made.replicas[name].service.keep_running)
        for name in names:
            await made.serving(name)


@contextlib.asynccontextmanager
async def _cast(made: world.World, notes: journal.Journal, supervisor: loops.Supervisor) -> AsyncIterator[_Cast]:
    """Clients and watchers; the cluster is made before anybody watches it."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(made.client())
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        progress = watching.Progress()
        watchers = [
            watching.Watcher("of all", client, notes, take=progress.take),
            *[
                watching.Watcher(f"through {name}", await stack.enter_async_context(made.client(name)), notes)
                for name in replicas.of(replicas.TRACKER)
            ],
            watching.Watcher("of one family", client, notes, family="small"),
        ]
        for watcher in watchers:
            supervisor.start(f"watch {watcher.name}", watcher.follow)
            await watcher.opened.wait()
        numbers = itertools.count(1)
        made_callers = [
            callers.Caller(await stack.enter_async_context(made.client()), progress, notes, numbers)
            for _ in range(CALLERS + 1)
        ]
        yield _Cast(client, progress, watchers, made_callers[1:], made_callers[0])


async def _strike_for_a_while(
    options: config.ControlPlane,
    seed: int,
    made: world.World,
    cast: _Cast,
    notes: journal.Journal,
    say: Callable[[str], None],
) -> None:
    """Until the time is over and each fault has come at least once; then make no further call."""
    loop = asyncio.get_running_loop()
    until = loop.time() + options.minutes * _MINUTE
    striker = striking.Striker(made, cast.progress, cast.probing, notes)
    mean_pause_s = CALLERS / options.rate
    async with asyncio.TaskGroup() as calling:
        running = [
            calling.create_task(caller.keep(plan.calls(seed, number, mean_pause_s, tuple(families.DEFINITIONS))))
            for number, caller in enumerate(cast.calling)
        ]
        due = set(options.chosen)
        for strike in plan.strikes(seed, options.chosen, options.pause):
            if loop.time() > until and not due:
                break
            await asyncio.sleep(strike.gap_s)
            say(f"{strike.number}: {' + '.join(blow.fault.value for blow in strike.blows)}")
            await striker.strike(strike)
            due -= {blow.fault for blow in strike.blows}
        for caller in cast.calling:
            caller.close()
        async with asyncio.timeout(_LAST_CALLS_S):
            await asyncio.gather(*running)


async def _end(made: world.World, cast: _Cast, notes: journal.Journal) -> None:
    """Stop what is left, wait until all is released and told, and ask for everything that the judgement needs."""
    slots = asyncio.Semaphore(_STOPS_AT_ONCE)

    async def stop(task_id: str) -> None:
        async with slots:
            await cast.probing.stop(task_id)

    await asyncio.gather(*(stop(task_id) for task_id in cast.progress.not_stopped()))
    with contextlib.suppress(TimeoutError):  # the judgement tells which were lost
        async with asyncio.timeout(END_BOUND_S):
            await cast.progress.until_released()
            await _until_told(made, cast.watchers[:-1], notes)
    for watcher in cast.watchers:
        watcher.close()
    for part in watching.batched(await _described(cast), connection.NAMED_AT_ONCE):
        notes.write("described", rows=part)
    await rows.note(made, notes)
    notes.write("over")


async def _note_lateness(notes: journal.Journal) -> NoReturn:
    """Write down whenever the drill itself was late: everything passes through its lines, and nobody is to be blamed for that."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK_S
        await asyncio.sleep(_TICK_S)
        if (late := loop.time() - due) > _LATE_S:
            notes.write("late", seconds=round(late, 2))


async def _leave(made: world.World) -> None:
    """End everything, what others stand on last."""
    await made.fleet.leave()
    await asyncio.gather(*(one.service.leave() for one in made.replicas.values()))
    await asyncio.gather(made.database.service.leave(), made.events.service.leave())


async def _until_told(made: world.World, watchers: list[watching.Watcher], notes: journal.Journal) -> None:
    """Wait until the watchers of everything have come to where the log ends now. Agents still come and go."""
    last = (await rows.head(made.database))["sequence"]
    notes.write("due", sequence=last)
    while any(watcher.reached < last for watcher in watchers):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(_TICK_S)


async def _described(cast: _Cast) -> list[dict[str, Any]]:
    return [
        {
            "task_id": callers.id_of(task),
            "version": task.version,
            "status": int(task.last_status),
            "desired": int(task.desired_status),
        }
        for task in await waiting.describe(cast.client, callers.CLUSTER, cast.progress.known)
    ]


async def _note_capacity(client: clients.Client, notes: journal.Journal, instance: str) -> None:
    answer = await client.call(
        client.state_tracker.DescribeContainerInstances,
        state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=[instance]),
    )
    (found,) = answer.container_instances
    amounts = {resource.name: resource.integer_value for resource in found.registered_resources}
    notes.write("capacity", cpu=amounts["CPU"], memory=amounts["MEMORY"])
