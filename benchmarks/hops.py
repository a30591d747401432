"""Where the time of one launch goes: moments of the client, the scheduler, the agent and the log, on this machine's one clock.

The scheduler's come from its page of metrics: between two scrapes around a single launch each histogram of a hop has one more value,
so the difference of its sums is that launch's. The agent's come from `/v1/timings`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from prometheus_client import parser

from benchmarks import figures
from tests.e2e import stacks

CALL_TIMEOUT = aiohttp.ClientTimeout(total=10.0)

_LONGEST = {
    "longshore_event_loop_longest_block_seconds": "block",
    "longshore_event_loop_longest_work_seconds": "processor time",
}
_PUBLISHED = "longshore_scheduler_last_publication_timestamp_seconds"
_SCHEDULER_HOPS = (("accepted", "queue"), ("taken", "decision"), ("decided", "commit"), ("committed", "publish"))
"""What a hop begins with, and its histogram; the last ends with `published`."""

_AGENT_HOPS = (
    ("received by the agent", "ReceivedAt"),
    ("create called", "CreateCalledAt"),
    ("created", "CreatedAt"),
    ("started", "StartedAt"),
    ("reported", "ReportedAt"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """The metrics of all processes of a stack at one moment."""

    values: Mapping[str, float]
    """What is counted, summed over the processes; of a point in time, the latest."""
    longest: Mapping[str, Mapping[str, float]]
    """Longest turns of the event loops: seconds of the block, and of processor time, by process."""


@dataclass(slots=True)
class Hops:
    """Milliseconds by hop, over all launches."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, moments: Mapping[str, float]) -> None:
        """Split one launch: each hop is named by what ends it. Moments are seconds, in the order of their coming."""
        names = list(moments)
        for begin, end in itertools.pairwise(names):
            self.samples.setdefault(end, []).append((moments[end] - moments[begin]) * 1000)

    def medians(self) -> dict[str, float]:
        """The median of each hop."""
        return {name: figures.median(values) for name, values in self.samples.items()}


async def scrape(stack: stacks.Stack) -> Page:
    """Read the pages of a stack's processes."""
    values: dict[str, float] = {}
    longest: dict[str, dict[str, float]] = {name: {} for name in _LONGEST.values()}
    for address in stack.metrics:
        text = await _fetched(f"http://{address}/metrics")
        for family in parser.text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in _LONGEST:
                    of, process = longest[_LONGEST[sample.name]], sample.labels["process"]
                    of[process] = max(of.get(process, 0.0), sample.value)
                elif sample.name == _PUBLISHED:
                    values[sample.name] = max(values.get(sample.name, 0.0), sample.value)
                elif "le" not in sample.labels:
                    values[sample.name] = values.get(sample.name, 0.0) + sample.value
    return Page(values, longest)


def of_scheduler(before: Page, after: Page) -> dict[str, float]:
    """The moments of the one launch between two scrapes, in seconds since the epoch."""
    found = {"published": after.values[_PUBLISHED]}
    at = found["published"]
    for begins_with, hop in reversed(_SCHEDULER_HOPS):
        name = f"longshore_scheduler_{hop}_seconds"
        launches = after.values[f"{name}_count"] - before.values[f"{name}_count"]
        if launches != 1:
            raise RuntimeError(f"{launches:g} launches between two scrapes; the benchmark needs its stack to itself")
        at -= after.values[f"{name}_sum"] - before.values[f"{name}_sum"]
        found[begins_with] = at
    return dict(reversed(found.items()))


async def of_agent(stack: stacks.Stack, task_id: str) -> dict[str, float]:
    """The moments of a launch on its host, in seconds since the epoch."""
    for address in stack.introspection:
        found: dict[str, Any] = await _decoded(f"http://{address}/v1/timings")
        for moments in found["Timings"]:
            if moments["TaskId"] == task_id:
                return {name: datetime.fromisoformat(moments[key]).timestamp() for name, key in _AGENT_HOPS}
    raise RuntimeError(f"no agent knows when task {task_id} was launched")


async def _fetched(url: str) -> str:
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT) as session, session.get(url) as answer:
        return await answer.text()


async def _decoded(url: str) -> Any:
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT) as session, session.get(url) as answer:
        return await answer.json()
