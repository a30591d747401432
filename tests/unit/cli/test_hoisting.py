import pytest

from longshore.cli import hoisting

OWN = frozenset({"registry"})


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("task list --output json", "--output json task list"),
        ("task list -o json --cluster a", "-o json task list --cluster a"),
        ("task list --output=json", "--output=json task list"),
        ("task list -ojson", "-ojson task list"),
        ("--server a task list --output json", "--server a --output json task list"),
        ("task list", "task list"),
        ("run web -- --output json", "run web -- --output json"),
        ("stop a --reason=--output", "stop a --reason=--output"),
        ("run web --overrides x", "run web --overrides x"),
        ("registry --server x --output y", "registry --server x --output y"),
        ("-o json registry --server x", "-o json registry --server x"),
        ("task describe registry --output json", "--output json task describe registry"),
        ("task list --output", "--output task list"),
        ("run web --wait-for-capacity --wait", "run web --wait-for-capacity=10m --wait"),
        ("run web --wait-for-capacity=90s", "run web --wait-for-capacity=90s"),
        ("run web -- --wait-for-capacity", "run web -- --wait-for-capacity"),
    ],
)
def test_global_options_move_to_the_front_and_a_component_s_stay(typed: str, taken: str) -> None:
    assert hoisting.hoisted(typed.split(), OWN) == taken.split()
