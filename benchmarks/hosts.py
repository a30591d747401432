"""What runs containers: launches and bursts, start and memory, in both ways to run."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks import catalogue, crowd, figures, launch, machine, memory, packaged, startup
from tests.e2e import stacks


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """The figures of one agent on this machine's engine."""
    found: list[figures.Figure] = []
    if options.mode != "distributed":
        engine = machine.engine()
        for name in ("packaged", "startup"):
            (folder / name).mkdir()
        found += packaged.measure(folder / "packaged", engine)
        found.append(startup.measure(folder / "startup", engine, runs=options.starts))
    for stack in running(folder, options.mode):
        found += memory.measure(stack)
        found += asyncio.run(launch.measure(stack, runs=options.runs, burst=options.burst))
        if stack.name == "embedded":
            found += crowd.measure(stack)
    return found


def running(folder: Path, mode: str) -> Iterator[stacks.Stack]:
    """The stacks of a mode, one after the other, each running for its turn."""
    engine = machine.engine()
    if mode in {"embedded", "both"}:
        place = folder / "embedded"
        place.mkdir()
        with stacks.running(stacks.embedded(place, engine, agent_settings={})) as stack:
            yield stack
    if mode in {"distributed", "both"}:
        place = folder / "distributed"
        place.mkdir()
        with machine.servers() as (database, events):
            made = stacks.distributed(
                place, engine, database_url=database.create_database(), events_url=events.fresh_url()
            )
            with stacks.running(made) as stack:
                yield stack


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=launch.RUNS, help="hosts: launches of one task")
    parser.add_argument("--burst", type=int, default=launch.BURST, help="hosts: containers of one burst")
    parser.add_argument("--starts", type=int, default=startup.RUNS, help="hosts: starts of `longshore up`")


BENCHMARK = catalogue.Benchmark("hosts", "what runs containers", measure, catalogue.HOSTS, _flags)
