"""Longshore and the moto server, asked the same: every difference has its verdict, and every verdict its difference."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance import comparing, differences, emulator, script, world
from tests.conformance.comparing import Difference, Outcome

pytestmark = pytest.mark.timeout(180)
"""The fixture makes a hundred calls and more, on a machine that may be busy."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Difference]:
    """All differences, from stacks of their own, in which nobody else has made anything."""
    ours, theirs = tmp_path_factory.mktemp("longshore"), tmp_path_factory.mktemp("moto")
    with world.running(ours) as stack, emulator.running(theirs) as url:
        mine = list(_outcomes(stack))
        ecs = world.client(url, parameter_validation=False)
        other = list(emulator.outcomes(ecs))
        ecs.close()
    return [
        difference
        for (step, outcome), (_, another) in zip(mine, other, strict=True)
        for difference in comparing.differences(step.name, outcome, another)
    ]


def _outcomes(stack: world.World) -> Iterator[tuple[script.Step, Outcome]]:
    """What comes of the script; a task that was run is waited for, so that what is shown of it afterwards is always the same."""
    ecs = world.client(stack.url, parameter_validation=False)
    ecs.meta.events.register("before-parse.ecs", stack.seen.check)
    for step, outcome in emulator.outcomes(ecs):
        if step.name in {"run", "start"} and outcome.answer is not None:
            stack.running(outcome.answer["tasks"][0]["taskArn"])
        yield step, outcome
    ecs.close()


def test_every_difference_has_a_verdict(found: list[Difference]) -> None:
    table = differences.verdicts()
    new = [each for each in found if not any(line.speaks_of(each) for line in table)]
    assert not new, "\n".join(f"{each.step}, {each.path}: {each.ours}, there {each.theirs}" for each in new)


def test_every_verdict_has_a_difference(found: list[Difference]) -> None:
    table = differences.verdicts()
    idle = [line for line in table if not any(line.speaks_of(each) for each in found)]
    assert not idle, "\n".join(f"{line.calls}, {line.path}" for line in idle)


def test_a_verdict_is_one_of_the_three_and_says_why() -> None:
    assert [line for line in differences.verdicts() if line.verdict not in differences.VERDICTS or not line.why] == []


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        ({"a": 0}, {"a": False}, [("a", "0", "False")]),
        ({"a": 1}, {}, [("a", "1", "nothing")]),
        ({}, {"a": []}, [("a", "nothing", "[]")]),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 3}, {"b": 4}]}, [("a[].b", "1", "3")]),
        ({"a": [1, 2]}, {"a": [1]}, [("a", "2 items", "1 items")]),
        ({"a": [{"name": "x", "b": 1}]}, {"a": [{"name": "x", "b": 2}]}, [("a.x.b", "1", "2")]),
        ({"a": "task/" + "1" * 32}, {"a": "task/" + "2" * 32}, []),
        ({"startedAt": 1.0}, {"startedAt": 2.0}, []),
        ({"startedAt": 1.0}, {"startedAt": None}, [("startedAt", "'<some>'", "None")]),
    ],
)
def test_a_comparison_finds_what_differs(ours: Any, theirs: Any, found: list[tuple[str, str, str]]) -> None:
    told = comparing.differences("step", Outcome(answer=ours), Outcome(answer=theirs))
    assert [(each.path, each.ours, each.theirs) for each in told] == found


def test_a_comparison_tells_which_side_refuses_and_how() -> None:
    refused, other = Outcome(code="A", message="no"), Outcome(code="B", message="no")
    assert [each.path for each in comparing.differences("step", refused, Outcome(answer={}))] == ["!"]
    assert [each.path for each in comparing.differences("step", refused, other)] == ["!code"]
