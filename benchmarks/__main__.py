"""`make bench`: run the measurements and print them, as tables or with --json."""

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    catalogue,
    failover,
    figures,
    fleet,
    gateway,
    history,
    hosts,
    log_stream,
    memory_per_task,
    placement,
    reconnection,
    waiting_queue,
)

BENCHMARKS: tuple[catalogue.Benchmark, ...] = (
    placement.BENCHMARK,
    memory_per_task.BENCHMARK,
    waiting_queue.BENCHMARK,
    fleet.BENCHMARK,
    failover.BENCHMARK,
    history.BENCHMARK,
    reconnection.BENCHMARK,
    gateway.BENCHMARK,
    hosts.BENCHMARK,
    log_stream.BENCHMARK,
)
"""In the order in which they run and stand in the tables."""


def main() -> int:
    """Measure. Goals that are missed are no failure: a figure is read, not asserted. What could not be measured is one."""
    options = _parser().parse_args()
    found: dict[str, list[figures.Figure]] = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as folder:
        for benchmark in BENCHMARKS:
            if options.only and benchmark.name not in options.only:
                continue
            sys.stderr.write(f"measuring: {benchmark.about}\n")
            try:
                measured = benchmark.measure(_made(Path(folder) / benchmark.name), options)
            except catalogue.MissingError as error:
                sys.stderr.write(f"not measured: {benchmark.name}: {error}\n")
            except Exception:  # noqa: BLE001 - what hours of others have found is worth printing all the same
                failed = True
                sys.stderr.write(f"not measured: {benchmark.name}:\n{traceback.format_exc()}")
            else:
                found.setdefault(benchmark.subject, []).extend(measured)
    _show(found, as_json=options.json)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="; ".join(f"{benchmark.name}: {benchmark.about}" for benchmark in BENCHMARKS),
    )
    parser.add_argument("--json", action="store_true", help="print JSON: value, unit, goal, peer, ratio, samples")
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("--only", action="append", choices=names, help="one of them; may be given several times")
    parser.add_argument("--mode", choices=("embedded", "distributed", "both"), default="both", help="of hosts and logs")
    for benchmark in BENCHMARKS:
        benchmark.flags(parser)
    return parser


def _show(found: dict[str, list[figures.Figure]], *, as_json: bool) -> None:
    if as_json:
        rows: Sequence[object] = [
            {"subject": subject} | figure.as_json() for subject, measured in found.items() for figure in measured
        ]
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        figures.print_tables(found)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
