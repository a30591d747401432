"""The frame of the benchmarks: goals are judged, and one that fails hides nothing of the others."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as frame
from benchmarks import catalogue, figures


def _figure(value: float, goal: figures.Goal, peer: float | None = None) -> figures.Figure:
    return figures.Figure("one", value, "ms", peer=peer, goal=goal)


def test_goals_look_at_the_value_the_ratio_or_the_difference() -> None:
    assert [
        _figure(10, figures.at_most(10, "ms")).met,
        _figure(11, figures.at_most(10, "ms")).met,
        _figure(9, figures.at_least(10, "ms")).met,
        _figure(12, figures.ratio_at_most(1.2), peer=10).met,
        _figure(12, figures.ratio_at_least(1.3), peer=10).met,
        _figure(12, figures.more_at_most(2, "ms"), peer=10).met,
        figures.Figure("no goal", 1, "ms").met,
    ] == [True, False, False, True, False, True, None]


def _measure(_folder: Path, _options: object) -> list[figures.Figure]:
    return [_figure(1_234_567, figures.at_least(1_000_000, "ms"))]


def _fail(_folder: Path, _options: object) -> list[figures.Figure]:
    raise ValueError("broken")


def _miss(_folder: Path, _options: object) -> list[figures.Figure]:
    raise catalogue.MissingError("no engine")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"good": _measure, "bad": _fail, "missing": _miss}
    monkeypatch.setattr(
        frame, "BENCHMARKS", tuple(catalogue.Benchmark(name, name, measure) for name, measure in made.items())
    )


@pytest.mark.usefixtures("three")
def test_what_fails_is_told_and_the_others_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--json"])
    assert frame.main() == 1
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert (row["subject"], row["name"], row["goal"], row["met"]) == (
        catalogue.SCALE,
        "one",
        "≥ 1,000,000 ms",
        True,
    )
    assert "ValueError: broken" in told.err
    assert "no engine" in told.err


@pytest.mark.usefixtures("three")
def test_only_some_are_measured_and_a_table_shows_goal_and_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "good", "--only", "missing"])
    assert frame.main() == 0
    table = capsys.readouterr().out
    assert "≥ 1,000,000 ms" in table
    assert "1,234,567 ms" in table
    assert "met" in table
