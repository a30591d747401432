"""docs/task-definition.md is complete, and what it says of Docker's create call is what the agent asks for."""

from typing import Any

import pytest

from tests.conformance import contract, effects, parameters, specimens

HONOURED = [member.path for member in parameters.members() if member.handling == contract.SUPPORTED]


def test_the_committed_page_is_up_to_date() -> None:
    assert parameters.FILE.read_text() == parameters.render(), "run 'make conformance'"


def test_every_parameter_stands_there_once() -> None:
    lines = [line for line in parameters.render().splitlines() if line.startswith("| `")]
    assert len(lines) == len(parameters.members())


def test_of_every_parameter_that_is_honoured_it_is_said_where_it_goes() -> None:
    """One that begins to be honoured is to be added to the mapping in `parameters`."""
    assert set(HONOURED) - parameters.DOCKER.keys() - parameters.ELSEWHERE.keys() == set()
    assert (parameters.DOCKER.keys() | parameters.ELSEWHERE.keys()) - {
        each.path for each in parameters.members()
    } == set()


@pytest.mark.parametrize("path", [path for path in HONOURED if path in parameters.DOCKER])
def test_a_parameter_changes_the_members_of_the_create_call_that_it_is_said_to(path: str) -> None:
    changed, plain = _asked(specimens.request("family", path)), _asked(specimens.beside("family", path))
    for name in parameters.DOCKER[path]:
        assert _member(changed, name) != _member(plain, name), name


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    made = effects.bodies({name: value for name, value in request.items() if name != "tags"})
    return made[0]


def _member(body: dict[str, Any], name: str) -> Any:
    found: Any = body
    for step in name.split("."):
        found = (found or {}).get(step)
    return found
