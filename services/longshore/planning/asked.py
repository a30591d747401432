"""What a plan is asked for, read from its file. Pure but for the definitions' files, which a caller reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.query import evaluation, syntax
from longshore.scheduler import strategies

_MOST = 2**31 - 1
MOST_TASKS = 1_000_000
DEFAULT_STRATEGY = "binpack:memory"
_KIND = frozenset({"kind", "cpu", "memory", "count", "ports", "attributes", "resources"})
_TASKS = frozenset({"definition", "count", "strategy", "constraints", "distinct"})


class BadPlan(Exception):  # noqa: N818 - named by what is wrong
    """A plan that cannot be read. The message names the place and what is expected there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of instance. `count` None: as many as needed. `ports`: TCP ports that no task may take."""

    name: str
    cpu: int
    memory: int
    count: int | None = None
    ports: tuple[int, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tasks:
    """So many tasks of one definition: a file, or a family or family:revision that is registered."""

    definition: str
    count: int
    strategy: tuple[strategies.Strategy, ...]
    constraints: tuple[str, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """All of it."""

    kinds: tuple[Kind, ...]
    tasks: tuple[Tasks, ...]


def parse(text: str) -> Asked:
    """Read a plan. Raises BadPlan."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadPlan(f"not JSON: {error}") from None
    if not isinstance(found, dict) or not found.keys() == {"instances", "tasks"}:
        raise BadPlan('not an object with the lists "instances" and "tasks"')
    for name in ("instances", "tasks"):
        if not isinstance(found[name], list) or not found[name]:
            raise BadPlan(f"{name} is not a list with something in it")
    kinds = tuple(_kind(item, f"instances[{place}]") for place, item in enumerate(found["instances"]))
    if len({kind.name for kind in kinds}) < len(kinds):
        raise BadPlan("two kinds of instances have the same name")
    return Asked(kinds, tuple(_tasks(item, f"tasks[{place}]") for place, item in enumerate(found["tasks"])))


def _kind(item: Any, place: str) -> Kind:
    _known(item, _KIND, {"kind", "cpu", "memory"}, place)
    resources = item.get("resources", {})
    if not isinstance(resources, dict):
        raise BadPlan(f"{place}.resources is not an object of names and numbers")
    attributes = item.get("attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise BadPlan(f"{place}.attributes is not an object of texts")
    ports = item.get("ports", [])
    if not isinstance(ports, list):
        raise BadPlan(f"{place}.ports is not a list of port numbers")
    return Kind(
        name=_text(item["kind"], f"{place}.kind"),
        cpu=_whole(item["cpu"], f"{place}.cpu"),
        memory=_whole(item["memory"], f"{place}.memory"),
        count=None if item.get("count") is None else _whole(item["count"], f"{place}.count"),
        ports=tuple(_whole(port, f"{place}.ports") for port in ports),
        attributes=attributes,
        resources={name: _whole(value, f"{place}.resources.{name}") for name, value in resources.items()},
    )


def _tasks(item: Any, place: str) -> Tasks:
    _known(item, _TASKS, {"definition", "count"}, place)
    constraints = item.get("constraints", [])
    if not isinstance(constraints, list):
        raise BadPlan(f"{place}.constraints is not a list of expressions")
    for text in constraints:
        try:
            evaluation.compiled(_text(text, f"{place}.constraints"))
        except syntax.QueryError as error:
            raise BadPlan(f"{place}.constraints: {error}") from None
    count = _whole(item["count"], f"{place}.count")
    if count > MOST_TASKS:
        raise BadPlan(f"{place}.count is {count}; up to {MOST_TASKS} can be planned")
    return Tasks(
        definition=_text(item["definition"], f"{place}.definition"),
        count=count,
        strategy=_chain(_text(item.get("strategy", DEFAULT_STRATEGY), f"{place}.strategy"), f"{place}.strategy"),
        constraints=tuple(constraints),
        distinct=item.get("distinct", False) is True,
    )


def _chain(text: str, place: str) -> tuple[strategies.Strategy, ...]:
    """`spread:attribute:zone,binpack:memory`, as ECS chains them; `random` alone."""
    chain = []
    for part in text.split(","):
        word, _, named = part.strip().partition(":")
        try:
            kind = strategies.Kind(word)
        except ValueError:
            raise BadPlan(f"{place} has {word!r}, not one of random, spread, binpack") from None
        if fault := strategies.fault(kind, named):
            raise BadPlan(f"{place}: {fault}")
        chain.append(strategies.Strategy(kind, named))
    return tuple(chain)


def _known(item: Any, known: frozenset[str], required: set[str], place: str) -> None:
    if not isinstance(item, dict):
        raise BadPlan(f"{place} is not an object")
    if missing := sorted(required - item.keys()):
        raise BadPlan(f"{place} has no {missing[0]}")
    if unknown := sorted(item.keys() - known):
        raise BadPlan(f"{place} has {unknown[0]}, which is not known; it may have {', '.join(sorted(known))}")


def _whole(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST:
        raise BadPlan(f"{place} is {value!r}, not a whole number above zero")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadPlan(f"{place} is {value!r}, not a text")
    return value
