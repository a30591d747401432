import re
from pathlib import Path

import pytest

from longshore.agent import states

C = states.ContainerPhase
T = states.TaskPhase
NONE = "\u2013"
DOCUMENT = Path(__file__).parents[3] / "docs" / "design" / "agent.md"


@pytest.mark.parametrize("source", list(C))
@pytest.mark.parametrize("target", list(C))
def test_a_container_moves_only_by_the_table(source: C, target: C) -> None:
    if target in states.CONTAINER_MOVES[source]:
        states.check_container("story", source, target)
    else:
        with pytest.raises(states.InvalidTransition, match=f"story: .* from {source.name} to {target.name}"):
            states.check_container("story", source, target)


@pytest.mark.parametrize("source", list(T))
@pytest.mark.parametrize("target", list(T))
def test_a_task_moves_only_by_the_table(source: T, target: T) -> None:
    if target in states.TASK_MOVES[source]:
        states.check_task("story", source, target)
    else:
        with pytest.raises(states.InvalidTransition, match=f"story: .* from {source.name} to {target.name}"):
            states.check_task("story", source, target)


def test_every_move_goes_forward_but_that_of_a_container_that_was_started_again() -> None:
    moves = {(source, target) for source, targets in states.CONTAINER_MOVES.items() for target in targets}
    assert {move for move in moves if move[1] <= move[0]} == {(C.RESTARTING, C.RUNNING)}
    assert all(target > source for source, targets in states.TASK_MOVES.items() for target in targets)


@pytest.mark.parametrize(("name", "moves"), [("container", states.CONTAINER_MOVES), ("task", states.TASK_MOVES)])
def test_the_documents_table_is_the_codes(name: str, moves: dict[C, frozenset[C]]) -> None:
    text = DOCUMENT.read_text()
    table = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert table is not None
    rows = [
        f"| {source.name} | {', '.join(t.name for t in sorted(targets)) or NONE} |" for source, targets in moves.items()
    ]
    assert table[1].splitlines() == ["| from | to |", "|---|---|", *rows]
