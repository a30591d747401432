"""Memory per placed task in the scheduler's view, its leader's and a standby's alike.

    make bench ARGS='--only memory-per-task --memory-tasks 1000000'

No database and no calls: a process of its own fills `longshore.scheduler.snapshot` by decisions, once as a cluster of plain tasks, once as the worst that
there is: a thousand groups, so that hardly two tasks on an instance have one in common, and a dynamic port reported for each task. What is counted is
the growth of its resident memory, and by Python's own count what a tenth of the tasks takes.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from benchmarks import catalogue, figures, memory
from longshore.rpc import ids
from longshore.scheduler import instances, placement, requirements, snapshot, strategies

TASKS = 1_000_000
TRACED = 100_000
INSTANCES = 6_100
GOAL_BYTES = 400
PART = 1_000
"""Tasks of one decision, as RunTasks has it."""

_SPREAD = (strategies.Strategy(strategies.Kind.SPREAD, "instanceId"),)
_FIRST_DYNAMIC_PORT = 32_768
_CLUSTERS = {
    "plain tasks of ten groups": (10, False),
    "a thousand groups, a port reported for each task": (1_000, True),
}
"""By what is told of it, how many groups there are, and whether agents report ports."""


def measure(_folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """A figure a kind of cluster."""
    return [_figure(told, options.memory_tasks) for told in _CLUSTERS]


def _figure(told: str, tasks: int) -> figures.Figure:
    resident, traced = (_of_process(told, count, traced=traced) for count, traced in ((tasks, False), (TRACED, True)))
    return figures.Figure(
        f"memory per placed task in the scheduler's view: {told}",
        resident,
        "bytes",
        goal=figures.at_most(GOAL_BYTES, "bytes"),
        notes=f"growth of resident memory with {tasks:,} tasks on {INSTANCES:,} instances; {traced:.0f} bytes by tracemalloc with {TRACED:,}",
    )


def _of_process(told: str, tasks: int, *, traced: bool) -> float:
    """Bytes per task, in a process of its own: what another has used and given back would count for this one."""
    command = [sys.executable, "-m", "benchmarks.memory_per_task", told, str(tasks), *(["--traced"] if traced else [])]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def grown(told: str, tasks: int, count: Callable[[], float]) -> float:
    """Bytes per task by a count of bytes."""
    groups, ports = _CLUSTERS[told]
    base = snapshot.Snapshot()
    for number in range(INSTANCES):
        base.apply(instances.Instance(f"{number:032x}", instances.ACTIVE, True, 1, cpu=1 << 20, memory=1 << 24))
    source = random.Random(1)
    placing = placement.Placement(base, source)
    needs = requirements.Needs(16, 64)
    requests = [placement.Request(needs, f"service:{number}", PART, strategy=_SPREAD) for number in range(groups)]
    task_ids = ids.Sequence(source)
    gc.collect()
    before = count()
    for number in range(tasks // PART):
        decision = placing.decide(requests[number % groups])
        made = task_ids.batch(number, PART)
        for task_id, instance_id in zip(made, decision.instances, strict=True) if ports else ():
            base.observe(instance_id, task_id, (source.randrange(_FIRST_DYNAMIC_PORT, 1 << 16),))
    del decision, made
    gc.collect()
    return (count() - before) / tasks


def _resident() -> float:
    return memory.resident_mb(0) * 1e6


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("told", choices=_CLUSTERS)
    parser.add_argument("tasks", type=int)
    parser.add_argument("--traced", action="store_true")
    options = parser.parse_args()
    if options.traced:
        tracemalloc.start()
    count = (lambda: float(tracemalloc.get_traced_memory()[0])) if options.traced else _resident
    json.dump(grown(options.told, options.tasks, count), sys.stdout)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--memory-tasks", type=int, default=TASKS, help="memory-per-task: placed tasks")


BENCHMARK = catalogue.Benchmark(
    "memory-per-task", "memory per placed task in the scheduler's view", measure, flags=_flags
)

if __name__ == "__main__":
    _main()
