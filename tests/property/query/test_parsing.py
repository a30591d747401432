"""Any text is an expression or an error with a column; any expression says what a plain reading of it says."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.query import evaluation, syntax
from tests.unit.query.test_language import HERE, LOAD

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""

WORDS = (
    "attribute:a", "attribute:stack", "task:group", "agentConnected", "and", "or", "not", "(", ")", "[", "]", ",", "==", "!=", "in",
    "!in", "exists", "!exists", "=~", ">", "'", '"', "'x y'", "prod", "true", "1.2", "||", "&&", "!", ".*", "attribute:",
)  # fmt: skip


@UNTIMED
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    column = 1
    try:
        evaluation.compiled(text).holds(HERE, LOAD)
    except syntax.QueryError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


TRUE, FALSE = "attribute:stack == prod", "attribute:stack == test"
expressions = st.recursive(
    st.sampled_from([(TRUE, True), (FALSE, False)]),
    lambda inner: st.one_of(
        inner.map(lambda part: (f"not ({part[0]})", not part[1])),
        inner.map(lambda part: (f"!({part[0]})", not part[1])),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: (" and ".join(f"({text})" for text, _ in parts), all(value for _, value in parts))
        ),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: (" || ".join(f"({text})" for text, _ in parts), any(value for _, value in parts))
        ),
    ),
    max_leaves=10,
)


@UNTIMED
@given(expressions)
def test_an_expression_says_what_its_parts_say(made: tuple[str, bool]) -> None:
    text, value = made
    if len(text) <= 2000:
        assert evaluation.compiled(text).holds(HERE, LOAD) is value


def test_and_binds_closer_than_or() -> None:
    for values in itertools.product([True, False], repeat=3):
        a, b, c = (TRUE if value else FALSE for value in values)
        expected = values[0] or (values[1] and values[2])
        assert evaluation.compiled(f"{a} or {b} and {c}").holds(HERE, LOAD) is expected
        assert evaluation.compiled(f"{b} and {c} or {a}").holds(HERE, LOAD) is expected
