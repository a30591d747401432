"""How a component declares what it measures: one dataclass of plain numbers, whose fields say how each is shown.

    @declared.metrics
    class Metrics:
        placed: int = declared.counter("longshore_scheduler_placed_tasks_total", "Tasks placed.", unit="tasks")

The component writes `measured.placed += 1`; nothing is looked up by name or label, and nothing is locked, on its path.
"""

import collections
import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, dataclass_transform

from longshore.metrics import instruments

T = TypeVar("T")

Kind = Literal["counter", "gauge", "histogram"]

_KEY = "family"


@dataclass(frozen=True, slots=True)
class Family:
    """How a field is shown. `labels` are those its values are told apart by; empty where there is one value."""

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()


# `init` tells type checkers what is so: no number is given to the constructor.


def counter(
    name: str,
    help: str,  # noqa: A002 - what Prometheus calls it
    *,
    unit: str,
    label: str | tuple[str, ...] = (),
    init: Literal[False] = False,
) -> Any:
    """A number that only grows; with a label, one for each value of it, with several, one for each tuple of theirs."""
    if not name.endswith("_total"):
        raise ValueError(f"{name}: the name of a counter ends in _total")
    labels = (label,) if isinstance(label, str) else label
    kept = {_KEY: Family(name, "counter", unit, help, labels)}
    if labels:
        return dataclasses.field(default_factory=collections.Counter, init=init, metadata=kept)
    return dataclasses.field(default=0, init=init, metadata=kept)


def gauge(name: str, help: str, *, unit: str, label: str = "", init: Literal[False] = False) -> Any:  # noqa: A002 - as above
    """A number that goes up and down; with a label, one for each value of it that is there now."""
    kept = {_KEY: Family(name, "gauge", unit, help, (label,) if label else ())}
    if label:
        return dataclasses.field(default_factory=dict, init=init, metadata=kept)
    return dataclasses.field(default=0, init=init, metadata=kept)


def maximum(name: str, help: str, *, unit: str, init: Literal[False] = False) -> Any:  # noqa: A002 - as above
    """A gauge of the largest value of late."""
    kept = {_KEY: Family(name, "gauge", unit, help)}
    return dataclasses.field(default_factory=instruments.Maximum, init=init, metadata=kept)


def latency(name: str, help: str, *, init: Literal[False] = False) -> Any:  # noqa: A002 - as above
    """A histogram of seconds."""
    kept = {_KEY: Family(name, "histogram", "seconds", help)}
    return dataclasses.field(default_factory=_latencies, init=init, metadata=kept)


def sizes(name: str, help: str, *, unit: str, init: Literal[False] = False) -> Any:  # noqa: A002 - as above
    """A histogram of how many at a time."""
    kept = {_KEY: Family(name, "histogram", unit, help)}
    return dataclasses.field(default_factory=_sizes, init=init, metadata=kept)


def _latencies() -> instruments.Histogram:
    return instruments.Histogram(instruments.LATENCY_BOUNDS)


def _sizes() -> instruments.Histogram:
    return instruments.Histogram(instruments.SIZE_BOUNDS)


@dataclass_transform(field_specifiers=(counter, gauge, maximum, latency, sizes))
def metrics(cls: type[T]) -> type[T]:
    """Make a class of these fields a slotted dataclass."""
    return dataclasses.dataclass(slots=True)(cls)


def families(declaring: Any) -> dict[str, Family]:
    """What a class, or an object of it, declares: families by the name of their field."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(declaring) if _KEY in field.metadata}
