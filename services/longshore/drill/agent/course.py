"""The course of an agent's drill: begin, strike while tasks come and go, heal, look at everything, judge."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from longshore.client import client as clients
from longshore.client import waiting
from longshore.drill import journal, on_host, remains
from longshore.drill.agent import (
    checks,
    config,
    crowd,
    history,
    kinds,
    leftovers,
    plan,
    report,
    striking,
    watching,
    world,
)
from longshore.rpc import codec, loops
from longshore.v1 import registry_service_pb2, state_tracker_service_pb2

CONNECTED_BOUND_S = 60.0
END_BOUND_S = 240.0
"""From the last fault's end until every task has stopped: tasks last long, and stops are slow on purpose."""

_MINUTE = 60.0
_LONGEST_S = 150.0
"""How long a task lasts at most."""
_LONGEST_PART = 0.4
"""The same, in parts of the drill."""


async def run(options: config.Agent, seed: int, logs: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Hold a drill; the outcome."""
    notes = journal.Journal(logs / "journal.jsonl")
    notes.write("began", seed=seed, clock=time.time(), options=options.shown())
    for folder in await remains.remove():
        say(f"Put back what a drill had left that was killed: {folder}.")
    home: Path | None = None
    try:
        async with world.made(options, logs, notes) as made:
            home = made.home
            await _drill(options, seed, made, notes, say)
    finally:
        if home is not None:
            notes.write("left", found=on_host.found(home))
        notes.close()
    found = history.of(notes.records)
    return report.document(
        found,
        checks.judge(found),
        seed=seed,
        minutes=round(notes.now() / _MINUTE, 1),
        live_restore=options.live_restore,
        pause=options.pause,
    )


async def _drill(
    options: config.Agent, seed: int, made: world.World, notes: journal.Journal, say: Callable[[str], None]
) -> None:
    watch = watching.Watch(made.client, notes)
    async with loops.supervised() as supervisor:
        supervisor.start("watch", watch.follow)
        await watch.opened.wait()
        supervisor.start("agent", made.agent.keep_running)
        definitions = {name: await _registered(made, kind) for name, kind in kinds.KINDS.items()}
        async with asyncio.timeout(CONNECTED_BOUND_S):
            await watch.until_connected()
        await _note_capacity(made.client, notes)
        tasks = crowd.Crowd(made.client, watch, notes, definitions)
        say("The agent has joined; tasks come and go.")
        await _strike_for_a_while(
            options, seed, tasks, striking.Striker(made, watch, tasks, notes, _settings(options)), say
        )
        say("No more faults; what still runs is stopped.")
        await _end(made, watch, tasks, notes)


async def _strike_for_a_while(
    options: config.Agent, seed: int, tasks: crowd.Crowd, striker: striking.Striker, say: Callable[[str], None]
) -> None:
    """Until the time is over and each fault has come at least once; then begin no further task."""
    loop = asyncio.get_running_loop()
    until = loop.time() + options.minutes * _MINUTE
    longest_s = min(_LONGEST_S, options.minutes * _MINUTE * _LONGEST_PART)
    async with asyncio.TaskGroup() as places:
        running = [places.create_task(tasks.keep(seed, place, longest_s)) for place in range(options.tasks)]
        due = set(options.chosen)
        for strike in plan.strikes(seed, options.chosen, options.pause):
            if loop.time() > until and not due:
                break
            await asyncio.sleep(strike.gap_s)
            say(f"{strike.number}: {' + '.join(blow.fault.value for blow in strike.blows)}")
            await striker.strike(strike)
            due -= {blow.fault for blow in strike.blows}
        tasks.close()
        # Each place would wait for its last task to end by itself; those are stopped instead.
        for place in running:
            place.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _end(made: world.World, watch: watching.Watch, tasks: crowd.Crowd, notes: journal.Journal) -> None:
    """Stop what is left, let the agent tidy up, and ask for everything that the judgement needs."""
    for task_id in watch.open(tasks.accepted):
        await tasks.stop(task_id)
    with contextlib.suppress(TimeoutError):  # the judgement tells which were lost
        async with asyncio.timeout(END_BOUND_S):
            await watch.until_released(tasks.accepted)
    await tasks.listened()
    notes.write("left", found=await leftovers.at_last(made.engine, tasks.accepted))
    await made.agent.leave()
    notes.write("left", found=await leftovers.networks(made.engine))
    for task in await waiting.describe(made.client, "default", tasks.accepted):
        notes.write(
            "described",
            task=task.task_arn.rpartition("/")[2],
            version=task.version,
            status=watching.status(task.last_status),
            stop_code=watching.stop_code(task.stop_code),
            reason=task.stopped_reason,
        )
    for story in sorted(made.stories.iterdir()):
        notes.write("story", name=story.name, lines=story.read_text().splitlines())
    notes.write("over")


def _settings(options: config.Agent) -> Callable[[], bool]:
    """With which live-restore the engine comes back each time."""
    chosen = {"on": itertools.repeat(True), "off": itertools.repeat(False), "alternate": itertools.cycle((False, True))}
    settings: Iterator[bool] = chosen[options.live_restore]
    return lambda: next(settings)


async def _registered(made: world.World, kind: kinds.Kind) -> str:
    request = codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, kind.definition(str(made.stories)))
    answer = await made.client.call(made.client.registry.RegisterTaskDefinition, request)
    return f"{answer.task_definition.family}:{answer.task_definition.revision}"


async def _note_capacity(client: clients.Client, notes: journal.Journal) -> None:
    listed = await client.call(
        client.state_tracker.ListContainerInstances, state_tracker_service_pb2.ListContainerInstancesRequest()
    )
    answer = await client.call(
        client.state_tracker.DescribeContainerInstances,
        state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=listed.container_instance_arns),
    )
    (instance,) = answer.container_instances
    amounts = {resource.name: resource.integer_value for resource in instance.registered_resources}
    notes.write("capacity", cpu=amounts["CPU"], memory=amounts["MEMORY"])
