"""Valid requests for every operation of ECS's API, made from the model that ECS's own clients carry.

Pure. A request has what the model requires, what ECS refuses to do without, and by chance more. Names are mostly of what exists, so
that requests reach deeper than the first refusal.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import loaders, model

MODEL = model.ServiceModel(loaders.Loader().load_service_model("ecs", "service-2", "2014-11-13"))

NEEDED: Mapping[str, tuple[str, ...]] = {
    "ContainerDefinition": ("name", "image", "memory"),
    "ContainerOverride": ("name",),
    "RegisterContainerInstanceRequest": ("totalResources",),
    "Resource": ("name", "type", "integerValue"),
    "KeyValuePair": ("name", "value"),
    "Tag": ("key", "value"),
    "PortMapping": ("containerPort",),
    "PlacementStrategy": ("type", "field"),
    "PlacementConstraint": ("type", "expression"),
}
"""Members that the model calls optional, and without which ECS does nothing."""

GENEROSITY = (0.0, 0.0, 0.05, 0.15, 0.5)
"""Chance of an optional member; one is drawn for each request. The deeper, the smaller."""


@dataclass(frozen=True, slots=True)
class Known:
    """What exists in the stack that is asked."""

    clusters: Sequence[str]
    definitions: Sequence[str]
    instances: Sequence[str]
    tasks: Sequence[str]

    def names(self, member: str) -> Sequence[str]:
        """Values that make sense for a member, by its name; none where anything does."""
        word = member.lower()
        for ending, names in (
            ("cluster", self.clusters),
            ("clusters", self.clusters),
            ("taskdefinition", self.definitions),
            ("taskdefinitions", self.definitions),
            ("containerinstance", self.instances),
            ("containerinstances", self.instances),
            ("containerinstancearn", self.instances),
            ("targetid", self.instances),
            ("task", self.tasks),
            ("tasks", self.tasks),
            ("taskid", [task.rpartition("/")[2] for task in self.tasks]),
            ("resourcearn", (*self.clusters, *self.definitions, *self.instances, *self.tasks)),
        ):
            if word == ending:
                return names
        return WORDS.get(word, ())


WORDS: Mapping[str, Sequence[str]] = {
    "expression": (
        "attribute:zone == a",
        "attribute:zone in [a, b] and not (task:group == web)",
        "agentConnected == true",
    ),
    "family": ("web", "batch"),
    "familyprefix": ("w", "web"),
    "field": ("cpu", "memory", "attribute:zone", "instanceId"),
    "filter": ("attribute:zone == a", "runningTasksCount < 5"),
    "image": ("busybox", "nginx:1.27", "registry.example:5000/a/b@sha256:" + "0" * 64),
    "key": ("team", "stage"),
    "tagkeys": ("team", "stage"),
    "memory": ("512",),
    "cpu": ("256",),
    "name": ("web", "main", "containerInsights", "CPU", "MEMORY", "zone", "awsvpcTrunking"),
    "type": ("INTEGER", "STRINGSET", "binpack", "spread", "random", "memberOf", "distinctInstance"),
    "value": ("enabled", "disabled", "a", ""),
    "status": ("RUNNING", "STOPPED", "ACTIVE", "DRAINING"),
    "group": ("family:web", "service:web"),
    "container": ("web", "main", "c" * 255),
    "containers": ("web", "main"),
    "gone": ("web", "main"),
    "time": ("2026-11-28T23:22:06.743717877Z", "2026-99-28T23:22:06.743717877Z", "0000-01-01T00:00:00.000000000Z"),
    "startedby": ("fuzz", "ecs-svc/1"),
}

INTEGERS = (0, 1, 2, 3, 4, 16, 80, 100, 128, 256, 512, 1024, 8080, 65535)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


def document(operation: str, known: Known, chance: random.Random) -> dict[str, Any]:
    """A request's document."""
    shape = MODEL.operation_model(operation).input_shape
    value: dict[str, Any] = _structure(shape, known, chance, chance.choice(GENEROSITY))
    return value


def _value(shape: model.Shape, member: str, known: Known, chance: random.Random, generosity: float) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, known, chance, generosity)
    if kind == "list":
        count = chance.choice((0, 1, 1, 1, 2, 3))
        return [_value(shape.member, member, known, chance, generosity) for _ in range(count)]
    if kind == "map":
        return {
            _text(chance): _value(shape.value, "", known, chance, generosity) for _ in range(chance.choice((0, 1, 2)))
        }
    if kind == "string":
        return _string(shape, member, known, chance)
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "timestamp":
        return chance.choice((0, 1_763_835_890.123, 1_763_835_890))
    if kind in {"double", "float"}:
        return chance.choice((0.0, 0.5, 100.0))
    return chance.choice(INTEGERS)


def _structure(shape: Any, known: Known, chance: random.Random, generosity: float) -> dict[str, Any]:
    needed = {*shape.required_members, *NEEDED.get(shape.name, ())}
    if shape.is_tagged_union and not needed:
        needed = {chance.choice(list(shape.members))}
    return {
        name: _value(member, name, known, chance, generosity * 0.6)
        for name, member in shape.members.items()
        if name in needed or chance.random() < generosity
    }


def _string(shape: model.Shape, member: str, known: Known, chance: random.Random) -> str:
    allowed = shape.metadata.get("enum")
    if allowed:
        return str(chance.choice(allowed))
    names = known.names(member)
    if names and chance.random() < 0.95:
        return chance.choice(names)
    return _text(chance)


def _text(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(1, 12)))
