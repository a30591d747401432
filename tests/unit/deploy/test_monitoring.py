"""deploy/prometheus and deploy/grafana ask for what the components measure, by labels that it has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # ships no stubs

from longshore.metrics import declared
from longshore.rpc import settings
from tests.unit.metrics.test_prometheus_page import DECLARING

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus/longshore.rules.yml"
SCRAPED = DEPLOY / "prometheus/prometheus.yml"
DASHBOARD = DEPLOY / "grafana/longshore.json"

OF_THE_TARGET = {"job", "instance", "component", "process", "le"}
"""Labels that Prometheus, the process or a histogram adds."""
OTHERS: dict[str, set[str]] = {"up": set(), "process_cpu_seconds_total": set(), "process_resident_memory_bytes": set()}
"""What is no component's own: Prometheus's, and its client's."""
WORDS = {"sum", "by", "rate", "increase", "max", "count", "unless", "and", "or", "histogram_quantile", "max_over_time"}
BY = re.compile(r"\bby \(([^)]*)\)")
QUERY = re.compile(
    r"""(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<selected>[^}]*)\})?(?:\[(?P<range>[^\]]+)\])?|"[^"]*"|\d\w*|\S"""
)


def of_the_dashboard() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]


def of_the_rules() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def known() -> dict[str, set[str]]:
    """Names of samples with their labels."""
    found: dict[str, set[str]] = dict(OTHERS)
    for cls in DECLARING:
        for family in declared.families(cls).values():
            suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
            found |= {f"{family.name}{suffix}": set(family.labels) for suffix in suffixes}
    return found


def faults(query: str) -> list[str]:
    """What is wrong with a query: samples that nobody has, and labels that they have not."""
    samples = known()
    wrong: list[str] = []
    measured: set[str] = set()
    asked = {label for listed in BY.findall(query) for label in re.split(r",\s*", listed)}
    for part in QUERY.finditer(BY.sub(" ", query)):
        name, selected = part["name"], part["selected"] or ""
        if name is None or name in WORDS:
            continue
        if name not in samples:
            wrong.append(f"{name} is measured by nobody")
            continue
        measured |= samples[name]
        selectors = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", selected)
        wrong += [f"{name} has no label {label}" for label in selectors if label not in samples[name] | OF_THE_TARGET]
    wrong += [f"no sample has the label {label}" for label in sorted(asked - measured - OF_THE_TARGET)]
    if query.count("(") != query.count(")"):
        wrong.append("unbalanced")
    return wrong


@pytest.mark.parametrize(("named", "query"), [*of_the_dashboard(), *of_the_rules()])
def test_each_query_asks_for_what_is_measured(named: str, query: str) -> None:
    assert faults(query) == [], f"{named}: {query}"


def test_a_query_for_what_is_not_there_would_be_found() -> None:
    assert faults("sum by (reason) (rate(longshore_scheduler_refusals[5m]))") == [
        "longshore_scheduler_refusals is measured by nobody",
        "no sample has the label reason",
    ]
    assert faults('longshore_scheduler_refusals_total{why="x"}') == [
        "longshore_scheduler_refusals_total has no label why"
    ]
    assert faults("longshore_scheduler_batch_size") == ["longshore_scheduler_batch_size is measured by nobody"]


def test_the_dashboard_shows_each_subject_that_an_operator_looks_for() -> None:
    asked = " ".join(query for _, query in of_the_dashboard())
    for name in (
        "longshore_scheduler_queue_depth",
        "longshore_scheduler_decision_seconds_bucket",
        "longshore_scheduler_commit_seconds_bucket",
        "longshore_scheduler_batch_size_bucket",
        "longshore_scheduler_refusals_total",
        "longshore_scheduler_leader_epoch",
        "longshore_scheduler_client_tokens_total",
        "longshore_scheduler_event_lag",
        "longshore_state_tracker_event_lag",
        "longshore_state_tracker_sessions",
        "longshore_gateway_requests_total",
        "longshore_rpc_requests_total",
    ):
        assert name in asked


def test_the_dashboards_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_each_rule_says_what_is_wrong_and_where_to_look() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}


def test_prometheus_scrapes_each_component_and_reads_the_rules() -> None:
    told: dict[str, Any] = yaml.safe_load(SCRAPED.read_text())
    assert [(SCRAPED.parent / name).is_file() for name in told["rule_files"]] == [True]
    (job,) = told["scrape_configs"]
    assert job["job_name"] == "longshore"
    scraped = {group["labels"]["component"]: group["targets"] for group in job["static_configs"]}
    assert scraped.keys() == {"registry", "scheduler", "state-tracker", "gateway"}
    for targets in scraped.values():
        assert len(targets) == 2
        settings.parse(settings.Component, ["--listen", "127.0.0.1:0", "--metrics-listen", targets[0]], {})


def test_grafana_is_provisioned_with_the_folder_that_the_dashboard_goes_to() -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/longshore.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/longshore.yml").read_text())["providers"]
    assert (source["type"], provider["type"]) == ("prometheus", "file")
