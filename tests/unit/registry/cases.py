"""Definitions that break one rule each, as ECS's JSON, and what is said about them."""

from dataclasses import dataclass, field
from typing import Any

from longshore.rpc import codec
from longshore.v1 import registry_service_pb2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A definition that breaks a rule, with the messages of that rule. `also`: rules it cannot help breaking as well."""

    rule: str
    definition: Json
    messages: tuple[str, ...]
    also: frozenset[str] = field(default=frozenset())


def container(**members: Any) -> Json:
    """A container that breaks no rule, but for what is given. A member that is None is left out."""
    whole = {"name": "web", "image": "nginx:1.27", "memory": 128} | members
    return {name: value for name, value in whole.items() if value is not None}


def task(*containers: Json, **members: Any) -> Json:
    """A definition of these containers (one plain one where none is given), likewise."""
    whole = {"family": "site", "containerDefinitions": list(containers) or [container()]} | members
    return {name: value for name, value in whole.items() if value is not None}


def one(rule: str, message: str, definition: Json, *also: str) -> Case:
    """A case with one message."""
    return Case(rule, definition, (message,), frozenset(also))


def of_container(rule: str, message: str, **members: Any) -> Case:
    """A case of one container; the message begins as usual."""
    return one(rule, f"Invalid setting for container 'web': {message}", task(container(**members)))


def request(definition: Json) -> registry_service_pb2.RegisterTaskDefinitionRequest:
    """The request of a definition."""
    return codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, definition)
