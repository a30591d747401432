"""Who asks what runs on a host with a long history does not have the engine describe all of it."""

from types import SimpleNamespace
from typing import Any

from longshore.agent.metadata import inspections, introspection


def record(runtime_id: str, *, stopped: bool) -> Any:
    return SimpleNamespace(stopped=stopped, state=SimpleNamespace(containers=(SimpleNamespace(runtime_id=runtime_id),)))


def test_all_that_live_are_asked_for_and_of_the_history_a_part() -> None:
    history = [record(f"old-{number}", stopped=True) for number in range(10_000)]
    few = [record(f"new-{number}", stopped=False) for number in range(10)]
    asked = introspection.worth_asking([*history, *few, record("", stopped=False)])
    assert {f"new-{number}" for number in range(10)} <= set(asked)
    assert len(asked) == inspections.MAX_KEPT
    many = [record(f"new-{number}", stopped=False) for number in range(inspections.MAX_KEPT + 5)]
    assert len(introspection.worth_asking([*history, *many])) == len(many)
