"""The cluster query language: what holds, what is refused and where."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from longshore.query import evaluation, parsing, syntax


@dataclass(frozen=True)
class Instance:
    """What an expression is asked of."""

    connected: bool = True
    agent_version: str = "1.10.2"
    ec2_instance_id: str = "i-0a1"
    registered_at: int = 1_529_360_908_000_000  # 2018-06-18T22:28:28Z
    attributes: Mapping[str, str] = field(
        default_factory=lambda: {"ecs.instance-type": "g2.2xlarge", "stack": "prod", "size": "12", "bare": ""}
    )


HERE = Instance()
LOAD = evaluation.Load(3, {"family:web", "database"})


def holds(text: str) -> bool:
    return evaluation.compiled(text).holds(HERE, LOAD)


@pytest.mark.parametrize(
    "text",
    [
        "attribute:ecs.instance-type =~ g2.* and attribute:stack != test",
        "attribute:ecs.instance-type == 'g2.2xlarge'",
        'attribute:stack equals "prod"',
        "attribute:stack==prod",
        "attribute:stack in [test, prod]",
        "attribute:stack not_in [test]",
        "attribute:stack !in ['a b', test]",
        "attribute:stack exists",
        "attribute:bare exists && attribute:bare == ''",
        "attribute:nothing !exists",
        "attribute:nothing not_exists",
        "attribute:nothing != prod",
        "not attribute:nothing exists",
        "!attribute:nothing exists",
        "! (attribute:stack == test)",
        "not(task:group == family:api)",
        "task:group == database",
        "task:group in [a, database]",
        "task:group =~ family:.*",
        "task:group != family:api",
        "attribute:size > 9",
        "attribute:size >= 12 and attribute:size less_than 12.5",
        "attribute:stack > prod1 or attribute:stack > a",
        "agentConnected == true",
        "agentConnected != FALSE",
        "agentVersion > 1.9",
        "agentVersion == 1.10.2 and agentVersion less_than_equal 1.10.2.0",
        "ec2InstanceId in [i-0a1]",
        "ec2InstanceId =~ i-.*",
        "registeredAt == 2018-06-18T22:28:28Z",
        "registeredAt == 2018-06-19T00:28:28+02:00",
        "registeredAt > 2018-06-18 and registeredAt < 2018-06-18T22:29",
        "runningTasksCount == 3",
        "runningTasksCount greater_than 2",
        "attribute:stack == test and attribute:stack == test or attribute:stack == prod",
        "attribute:stack == prod or attribute:stack == test and attribute:stack == test",
        "attribute:stack == prod AND".removesuffix(" AND"),
        "attribute:in == in or attribute:not not_exists",
    ],
)
def test_it_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "attribute:stack =~ pro",
        "attribute:nothing == prod",
        "attribute:nothing > 1",
        "attribute:stack == prod and attribute:stack == test",
        "(attribute:stack == prod or attribute:stack == test) and attribute:stack == test",
        "attribute:STACK exists",
        "not not task:group == family:api",
        "agentVersion < 1.9",
        "runningTasksCount < 3",
        "registeredAt >= 2018-06-19",
    ],
)
def test_it_does_not_hold(text: str) -> None:
    assert not holds(text)


def test_a_version_that_is_none_fulfils_no_comparison() -> None:
    development = Instance(agent_version="")
    for operator in ("==", ">", "<", ">=", "<="):
        assert not evaluation.compiled(f"agentVersion {operator} 1.0").holds(development, evaluation.IDLE)
    assert evaluation.compiled("agentVersion == 1.40").holds(Instance(agent_version="v1.40.0-dev"), evaluation.IDLE)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("attribute:stack = prod", 17, "'= prod' where"),
        ("attribute:stack ==", 19, "ends where"),
        ("(attribute:stack == prod", 25, "ends where )"),
        ("attribute:stack == prod)", 24, "where"),
        ("attribute:stack == a b", 22, "'b' where and or or"),
        ("attribute:stack == 'a", 20, "where"),
        ("attribute:stack in prod", 20, "'prod' where ["),
        ("attribute:stack in []", 21, "where"),
        ("attribute:stack == [a]", 20, "where"),
        ("attribute: == a", 10, "where"),
        ("stack == prod", 1, "no subject; there are agentConnected"),
        ("attribute == prod", 1, "no subject"),
        ("agentVersion =~ 1.*", 1, "agentVersion takes ==, !=, >"),
        ("task:group > a", 1, "task:group takes"),
        ("agentConnected == yes", 19, "neither true nor false"),
        ("agentVersion > new", 16, "no version"),
        ("runningTasksCount > -1", 21, "no number"),
        ("registeredAt > yesterday", 16, "no moment"),
        ("registeredAt > 2018-13-01", 16, "no moment"),
        ("attribute:a =~ '(b'", 16, "no regular expression of this language: missing )"),
        (r"attribute:a =~ '(b)\1'", 16, "invalid escape sequence"),
        ("attribute:a =~ '(?=b)'", 16, "no regular expression"),
        ("attribute:a == b or", 20, "ends where"),
        ("attribute:a == b " + "x" * 2000, 2001, "2000 are allowed"),
    ],
)
def test_it_is_refused_with_the_column(text: str, column: int, says: str) -> None:
    with pytest.raises(syntax.QueryError) as caught:
        evaluation.compiled(text)
    assert caught.value.column == column
    assert says in str(caught.value)
    assert str(caught.value).endswith(f"(column {column})")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 900 + "attribute:a exists" + ")" * 900,
        "not " * 490 + "attribute:a exists",
        " or ".join(["attribute:a exists"] * 90),
        "attribute:a exists and (" * 75 + "attribute:a exists" + ")" * 75,
    ],
)
def test_depth_costs_nothing(text: str) -> None:
    assert not holds(text)


def test_no_pattern_takes_long() -> None:
    instance = Instance(attributes={"a": "a" * 128 + "!"})
    query = evaluation.compiled("attribute:a =~ '((a*)*)*b|(a|aa)+$|(.*.*.*.*)*x'")
    begun = time.process_time()
    for _ in range(100):
        assert not query.holds(instance, evaluation.IDLE)
    assert time.process_time() - begun < 5  # backtracking would take longer than the universe has


def test_what_an_expression_depends_on_is_known() -> None:
    query = evaluation.compiled("attribute:a == 1 and not(task:group in [x, y]) or agentConnected == true")
    assert (query.attributes, query.groups) == (frozenset({"a"}), frozenset({"x", "y"}))
    assert query.others
    assert query.dynamic
    assert evaluation.compiled("task:group =~ x").groups is None
    assert evaluation.compiled("runningTasksCount == 1").groups is None
    assert not evaluation.compiled("attribute:a == 1").dynamic


def test_the_tree_is_flat_where_it_can_be() -> None:
    tree = parsing.parse("attribute:a exists and attribute:b exists and not not attribute:c exists")
    assert isinstance(tree, syntax.And)
    assert [part.name for part in tree.parts if isinstance(part, syntax.Simple)] == ["a", "b", "c"]
