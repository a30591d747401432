"""What an expression says of an instance: compiled once, asked of many.

A negated operator holds where its positive one does not, so `attribute:stack != prod` holds for an instance without the attribute.
"""

import functools
import operator as operators
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from longshore.query import parsing, syntax, values
from longshore.query.syntax import Operator, Subject


class Facts(Protocol):
    """What is read of an instance."""

    @property
    def connected(self) -> bool:
        """Whether an agent speaks for it."""

    @property
    def agent_version(self) -> str:
        """What the agent calls its version."""

    @property
    def ec2_instance_id(self) -> str:
        """The machine's id, empty where it told none."""

    @property
    def registered_at(self) -> int:
        """Microseconds since the epoch."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """Attributes; those without a value have an empty one."""


@dataclass(frozen=True, slots=True)
class Load:
    """What runs on an instance: how many tasks, and of which groups."""

    tasks: int = 0
    groups: Collection[str] = ()


IDLE = Load()

Holds: TypeAlias = Callable[[Facts, Load], bool]

_ORDERS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUALS: operators.eq,
    Operator.GREATER: operators.gt,
    Operator.GREATER_EQUAL: operators.ge,
    Operator.LESS: operators.lt,
    Operator.LESS_EQUAL: operators.le,
}
_POSITIVE = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_MATCHES: Operator.MATCHES,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_EXISTS: Operator.EXISTS,
}
_TEXT = frozenset({Operator.EQUALS, Operator.MATCHES, Operator.IN})
_ALLOWED: Mapping[Subject, frozenset[Operator]] = {
    Subject.AGENT_CONNECTED: _TEXT,
    Subject.EC2_INSTANCE_ID: _TEXT,
    Subject.TASK_GROUP: _TEXT,
    Subject.AGENT_VERSION: frozenset(_ORDERS),
    Subject.REGISTERED_AT: frozenset(_ORDERS),
    Subject.RUNNING_TASKS_COUNT: frozenset(_ORDERS),
    Subject.ATTRIBUTE: frozenset({*_ORDERS, *_TEXT, Operator.EXISTS}),
}
_DYNAMIC = frozenset({Subject.RUNNING_TASKS_COUNT, Subject.TASK_GROUP})


@dataclass(frozen=True, slots=True)
class Query:
    """An expression that can be asked. `dynamic`: its answer changes with the tasks of an instance."""

    text: str
    holds: Holds
    dynamic: bool
    groups: frozenset[str] | None
    """The task groups that it names one by one; None where it asks for others too (by pattern), or for the count of tasks."""
    attributes: frozenset[str]
    """The attributes that it reads."""
    others: bool
    """Whether it reads anything else of the instance itself."""


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> Query:
    """The expression of a text. Raises QueryError."""
    tree = parsing.parse(text)
    holds = _compile(tree)
    every = _tests(tree)
    tests = [test for test in every if test.subject in _DYNAMIC]
    named = all(
        test.subject is Subject.TASK_GROUP and _POSITIVE.get(test.operator, test.operator) is not Operator.MATCHES
        for test in tests
    )
    groups = frozenset(word.text for test in tests for word in test.values) if named else None
    return Query(
        text,
        holds,
        dynamic=bool(tests),
        groups=groups,
        attributes=frozenset(test.name for test in every if test.subject is Subject.ATTRIBUTE),
        others=any(test.subject is not Subject.ATTRIBUTE and test.subject not in _DYNAMIC for test in every),
    )


def _tests(tree: syntax.Expression) -> list[syntax.Simple]:
    if isinstance(tree, syntax.Simple):
        return [tree]
    parts = (tree.part,) if isinstance(tree, syntax.Not) else tree.parts
    return [test for part in parts for test in _tests(part)]


def _compile(tree: syntax.Expression) -> Holds:
    if isinstance(tree, syntax.Not):
        inner = _compile(tree.part)
        return lambda facts, load: not inner(facts, load)
    if isinstance(tree, syntax.And):
        all_of = [_compile(part) for part in tree.parts]
        return lambda facts, load: all(holds(facts, load) for holds in all_of)
    if isinstance(tree, syntax.Or):
        any_of = [_compile(part) for part in tree.parts]
        return lambda facts, load: any(holds(facts, load) for holds in any_of)
    return _compile_test(tree)


def _compile_test(test: syntax.Simple) -> Holds:
    positive = _POSITIVE.get(test.operator, test.operator)
    if positive not in _ALLOWED[test.subject]:
        allowed = ", ".join(one.value for one in Operator if _POSITIVE.get(one, one) in _ALLOWED[test.subject])
        raise syntax.QueryError(f"{test.subject.value} takes {allowed}, not {test.operator.value}", test.column)
    holds = _positive(test, positive)
    if positive is test.operator:
        return holds
    return lambda facts, load: not holds(facts, load)


def _positive(test: syntax.Simple, operator: Operator) -> Holds:
    if test.subject is Subject.ATTRIBUTE:
        return _attribute(test, operator)
    if test.subject is Subject.TASK_GROUP:
        matches = _text(test, operator)
        return lambda _, load: any(matches(group) for group in load.groups)
    if test.subject is Subject.EC2_INSTANCE_ID:
        matches = _text(test, operator)
        return lambda facts, _: matches(facts.ec2_instance_id)
    if test.subject is Subject.AGENT_CONNECTED:
        if operator is not Operator.MATCHES:
            for word in test.values:
                _value(values.flag, word)
        matches = _text(test, operator, fold=True)
        return lambda facts, _: matches("true" if facts.connected else "false")
    return _ordered(test, _ORDERS[operator])


def _ordered(test: syntax.Simple, compare: Callable[[Any, Any], bool]) -> Holds:
    (word,) = test.values
    if test.subject is Subject.RUNNING_TASKS_COUNT:
        tasks = _value(values.count, word)
        return lambda _, load: compare(load.tasks, tasks)
    if test.subject is Subject.REGISTERED_AT:
        moment = _value(values.moment, word)
        return lambda facts, _: compare(facts.registered_at, moment)
    version = _value(values.version, word)

    def holds(facts: Facts, _: Load) -> bool:
        found = values.version_of(facts.agent_version)
        return found is not None and compare(found, version)

    return holds


def _attribute(test: syntax.Simple, operator: Operator) -> Holds:
    name = test.name
    if operator is Operator.EXISTS:
        return lambda facts, _: name in facts.attributes
    matches = _text(test, operator) if operator in _TEXT else _amount(test.values[0].text, _ORDERS[operator])

    def holds(facts: Facts, _: Load) -> bool:
        value = facts.attributes.get(name)
        return value is not None and matches(value)

    return holds


def _amount(text: str, compare: Callable[[Any, Any], bool]) -> Callable[[str], bool]:
    """An order of values: of numbers where both are numbers, of texts otherwise."""
    number = values.number(text)

    def holds(value: str) -> bool:
        mine = values.number(value)
        return compare(mine, number) if mine is not None and number is not None else compare(value, text)

    return holds


def _text(test: syntax.Simple, operator: Operator, *, fold: bool = False) -> Callable[[str], bool]:
    if operator is Operator.MATCHES:
        matches: Callable[[str], bool] = _value(values.pattern, test.values[0])
        return matches
    wanted = frozenset(word.text.lower() if fold else word.text for word in test.values)
    return lambda value: value in wanted


def _value(read: Callable[[str], Any], word: syntax.Word) -> Any:
    try:
        return read(word.text)
    except ValueError as error:
        raise syntax.QueryError(str(error), word.column) from None
