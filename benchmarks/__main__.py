"""`make bench`: run the measurements and print them, as a table or with --json."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import crowd, figures, fleet, gateway, launch, log_stream, memory, packaged, placement, startup
from tests.e2e import stacks
from tests.engines import docker, postgres, redis


def main() -> int:
    """Measure; the exit code is 0 whether or not goals are met: a figure is read, not asserted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON: value, unit, peer, ratio, samples")
    parser.add_argument("--runs", type=int, default=launch.RUNS, help="launches of one task")
    parser.add_argument("--burst", type=int, default=launch.BURST, help="containers of one burst")
    parser.add_argument("--starts", type=int, default=startup.RUNS, help="starts of `longshore up`")
    parser.add_argument("--log-line-bytes", type=int, default=log_stream.LINE_BYTES, help="its lines, ends included")
    parser.add_argument("--log-megabytes", type=int, default=log_stream.MEGABYTES, help="log streamed to a client")
    parser.add_argument(
        "--only",
        choices=("fleet", "gateway", "hosts", "logs", "placement"),
        help="a simulated fleet alone, ECS's wire, what runs containers, logs, the scheduler's core",
    )
    parser.add_argument("--fleet-instances", type=int, default=fleet.INSTANCES, help="simulated instances")
    parser.add_argument("--fleet-tasks", type=int, default=fleet.TASKS, help="tasks that fill them")
    parser.add_argument("--mode", choices=("embedded", "distributed", "both"), default="both")
    options = parser.parse_args()
    found: list[figures.Figure] = []
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as folder:
        if options.only in {None, "placement"}:
            found += placement.measure()
        if options.only in {None, "fleet"}:
            folder_of_fleet = _made(Path(folder) / "fleet")
            found += fleet.measure(folder_of_fleet, instances=options.fleet_instances, tasks=options.fleet_tasks)
        if options.only in {None, "gateway"}:
            found += gateway.measure(_made(Path(folder) / "gateway"))
        if options.only in {None, "hosts", "logs"}:
            found += _on_hosts(Path(folder), options)
    if options.json:
        json.dump([figure.as_json() for figure in found], sys.stdout, indent=2)
    else:
        figures.print_table(found)
    return 0


def _on_hosts(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    engine = docker.machine_engine()
    if engine is None:
        sys.stderr.write("No Docker Engine answers; `make bench` starts one.\n")
        return []
    engine.ensure_busybox()
    found: list[figures.Figure] = []
    if options.mode in {"embedded", "both"}:
        if options.only != "logs":
            found += packaged.measure(_made(folder / "packaged"), engine)
            found.append(startup.measure(_made(folder / "startup"), engine, runs=options.starts))
        with stacks.running(stacks.embedded(_made(folder / "embedded"), engine, agent_settings={})) as stack:
            found += _measured(stack, options)
            if options.only != "logs":
                found += crowd.measure(stack)
    if options.mode in {"distributed", "both"}:
        found += _distributed(folder / "distributed", engine, options)
    return found


def _distributed(folder: Path, engine: docker.DockerEngine, options: argparse.Namespace) -> list[figures.Figure]:
    programs, executable = postgres.installation(), redis.program()
    if programs is None or executable is None:
        sys.stderr.write("Neither PostgreSQL nor Redis may be missing; `make bench` installs them.\n")
        return []
    # fsync on: durability is part of the price.
    with postgres.PostgresServer(programs, fsync=True) as database, redis.RedisServer(executable) as events:
        made = stacks.distributed(
            _made(folder), engine, database_url=database.create_database(), events_url=events.fresh_url()
        )
        with stacks.running(made) as stack:
            return _measured(stack, options)


def _measured(stack: stacks.Stack, options: argparse.Namespace) -> list[figures.Figure]:
    if options.only == "logs":
        return _logs(stack, options)
    idle = memory.measure(stack)
    found = [*asyncio.run(launch.measure(stack, runs=options.runs, burst=options.burst)), *idle]
    return found if options.only == "hosts" else [*found, *_logs(stack, options)]


def _logs(stack: stacks.Stack, options: argparse.Namespace) -> list[figures.Figure]:
    return log_stream.measure(stack, megabytes=options.log_megabytes, line_bytes=options.log_line_bytes)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
