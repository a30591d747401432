"""What declared numbers look like to Prometheus, and that the document names each."""

import re
from collections.abc import Sequence
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client import parser

from longshore.gateway import metrics as gateway_metrics
from longshore.metrics import declared, exposition, instruments, loop_blocks, prometheus_page, rpcs
from longshore.scheduler import metrics as scheduler_metrics
from longshore.state_tracker import metrics as state_tracker_metrics

DOCUMENT = Path(__file__).parents[3] / "docs/metrics.md"
DECLARING = (
    loop_blocks.LoopBlocks,
    rpcs.Rpcs,
    scheduler_metrics.Metrics,
    state_tracker_metrics.Metrics,
    gateway_metrics.Metrics,
)


@declared.metrics
class Sample:
    """One of each kind."""

    waiting: int = declared.gauge("t_waiting", "Who waits.", unit="callers")
    done: int = declared.counter("t_done_total", "What is done.", unit="things")
    refused: dict[str, int] = declared.counter("t_refused_total", "By reason.", unit="things", label="reason")
    answered: dict[tuple[str, str], int] = declared.counter(
        "t_answered_total", "By what and how.", unit="answers", label=("what", "how")
    )
    took: instruments.Histogram = declared.latency("t_took_seconds", "How long.")
    worst: instruments.Maximum = declared.maximum("t_worst_seconds", "Worst.", unit="seconds")


def samples(*sources: tuple[object, dict[str, str]]) -> dict[tuple[str, tuple[str, ...]], float]:
    shown = exposition.Sources()
    for measured, labels in sources:
        shown.add(measured, **labels)
    registry = prometheus_client.CollectorRegistry()
    registry.register(prometheus_page.Collector(shown))
    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_kind_is_shown_as_it_is_when_it_is_asked_for() -> None:
    measured = Sample()
    measured.waiting = 3
    measured.done += 2
    measured.refused["RESOURCE:CPU"] += 1
    measured.refused["AGENT"] += 4
    measured.answered["ListTasks", "200"] += 5
    measured.took.observe(0.004)
    measured.took.observe(60.0)

    found = samples((measured, {}))

    assert found["t_waiting", ()] == 3
    assert found["t_done_total", ()] == 2
    assert (found["t_refused_total", ("RESOURCE:CPU",)], found["t_refused_total", ("AGENT",)]) == (1, 4)
    assert found["t_answered_total", ("200", "ListTasks")] == 5  # shown by the names of the labels: how, what
    assert (found["t_took_seconds_count", ()], found["t_took_seconds_sum", ()]) == (2, 60.004)
    assert [found["t_took_seconds_bucket", (le,)] for le in ("0.0025", "0.005", "10.0", "+Inf")] == [0, 1, 1, 2]
    assert found["t_worst_seconds", ()] == 0.0


def test_sources_of_one_kind_are_told_apart_by_their_labels() -> None:
    one, other = Sample(), Sample()
    one.waiting, other.waiting = 1, 2
    other.refused["X"] += 1

    found = samples((one, {"process": "a"}), (other, {"process": "b"}))

    assert (found["t_waiting", ("a",)], found["t_waiting", ("b",)]) == (1, 2)
    assert found["t_refused_total", ("b", "X")] == 1


def test_two_objects_share_no_numbers() -> None:
    one, other = Sample(), Sample()
    one.refused["X"] += 1
    one.took.observe(1.0)
    assert (other.refused, other.took.count) == ({}, 0)


def test_a_counter_is_named_as_one() -> None:
    with pytest.raises(ValueError, match="t_done: the name of a counter ends in _total"):
        declared.counter("t_done", "What is done.", unit="things")


def test_the_documents_table_is_what_is_declared() -> None:
    table = re.search(r"<!-- table: metrics -->\n(.*?)<!-- end -->", DOCUMENT.read_text(), re.DOTALL)
    assert table is not None
    assert table[1].splitlines() == ["| metric | type | unit | meaning |", "|---|---|---|---|", *rows(DECLARING)]


def rows(classes: Sequence[type]) -> list[str]:
    found = [family for cls in classes for family in declared.families(cls).values()]
    assert len({family.name for family in found}) == len(found)
    return [f"| `{_name(family)}` | {family.kind} | {family.unit} | {family.help} |" for family in found]


def _name(family: declared.Family) -> str:
    return f"{family.name}{{{','.join(family.labels)}}}" if family.labels else family.name
