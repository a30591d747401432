import pytest

from longshore.storage import steps


def test_a_bulk_update_that_names_a_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="more than once"):
        next(steps.update_many("t", ("k",), ("v",), [("a", 1), ("b", 1), ("a", 2)]))


def test_bulk_statements_over_nothing_yield_nothing() -> None:
    assert list(steps.insert_many("t", ("k",), [])) == []
    assert list(steps.update_many("t", ("k",), ("v",), [])) == []


def test_a_bulk_update_tells_replaced_from_added_columns() -> None:
    statement = next(steps.update_many("t", ("k",), ("v", ("n", "add")), [("a", 1, 2)]))
    assert statement == steps.UpdateMany(
        "t", ("k",), (steps.Assignment("v", add=False), steps.Assignment("n", add=True)), [("a", 1, 2)]
    )


def test_a_query_returns_what_it_is_sent() -> None:
    step = steps.fetch("SELECT $1", 5)
    assert next(step) == steps.Query("SELECT $1", (5,), steps.Shape.ROWS)
    with pytest.raises(StopIteration) as stopped:
        step.send(["row"])
    assert stopped.value.value == ["row"]
