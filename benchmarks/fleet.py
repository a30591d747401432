"""Many tasks over a simulated fleet: placed and running a second, most memory, processor time, and what PostgreSQL writes.

    make bench ARGS='--only fleet --fleet-instances 6100 --fleet-tasks 2000000'

PostgreSQL with fsync on, every component a process of its own, one connection an instance, events kept, a watcher that sees them all.
"""

import argparse
import asyncio
from pathlib import Path

from benchmarks import catalogue, figures, machine
from tests.integration.fleet import large

INSTANCES = 1_000
TASKS = 20_000
BOUND_S = 3_600.0


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """Fill a fleet to the last place, and count by SQL that it is so."""
    instances, tasks = options.fleet_instances, options.fleet_tasks
    size = large.Size(instances, tasks, BOUND_S)
    with machine.servers() as (database, events):
        url = database.create_database()
        with large.control_plane(folder, url, events.fresh_url()) as plane:
            before = asyncio.run(large.stored(url))
            outcome = asyncio.run(large.run(plane, size))
            found = asyncio.run(large.stored(url))
    if (found.running, found.counted) != (tasks, (0, tasks)) or max(found.unreleased_cpu) > size.cpu:
        raise AssertionError(f"the tables do not say what was told: {found}")
    what = f"{tasks:,} tasks over {instances:,} instances"
    return [
        figures.Figure(f"{what}: sessions of all instances", outcome.joined_s, "s"),
        figures.Figure(f"{what}: placed", tasks / outcome.placed_s, "/s", notes=f"in {outcome.placed_s:.1f} s"),
        figures.Figure(f"{what}: seen RUNNING", tasks / outcome.running_s, "/s", notes=f"in {outcome.running_s:.1f} s"),
        *(figures.Figure(f"most memory, {name}", value, "MiB") for name, value in sorted(outcome.memory_mib.items())),
        *(figures.Figure(f"processor time, {name}", value, "s") for name, value in sorted(outcome.processor_s.items())),
        figures.Figure("written by PostgreSQL to its log", found.log_mib - before.log_mib, "MiB"),
        figures.Figure("growth of its tables and indexes", found.tables_mib - before.tables_mib, "MiB"),
    ]


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fleet-instances", type=int, default=INSTANCES, help="fleet: simulated instances")
    parser.add_argument("--fleet-tasks", type=int, default=TASKS, help="fleet: tasks that fill them")


BENCHMARK = catalogue.Benchmark("fleet", "many tasks over a simulated fleet", measure, flags=_flags)
