"""Task-definition documents as people have them: a file for `register-task-definition`, or what `describe` printed. Pure.

Three forms are taken: the request itself; `{"taskDefinition": {…}, "tags": […]}`, as ECS's describe and register answer; and a bare
list of container definitions, which needs a family from elsewhere.
"""

from dataclasses import dataclass
from typing import Any

from longshore.rpc import codec, errors
from longshore.v1 import registry_service_pb2, task_definition_pb2

WRAPPER = "taskDefinition"


def _members(message: Any) -> frozenset[str]:
    return frozenset(field.json_name for field in message.DESCRIPTOR.fields)


OUTPUT_ONLY = _members(task_definition_pb2.TaskDefinition) - _members(
    registry_service_pb2.RegisterTaskDefinitionRequest
)
"""Members that ECS writes and never takes: they are in what `describe` prints, and mean nothing in a registration."""


@dataclass(frozen=True, slots=True)
class Document:
    """A registration read from a document, and what the reader should be told about how it was read."""

    request: registry_service_pb2.RegisterTaskDefinitionRequest
    notice: str
    """One sentence; empty where the document was taken as it is."""


def parse(text: str, *, family: str | None = None) -> Document:
    """Read a task-definition document.

    Raises errors.ClientException naming the path of each fault; an unknown member suggests the nearest known one.
    """
    return read(codec.loads(text), family=family)


def read(body: Any, *, family: str | None = None) -> Document:
    """Read a task-definition document that is JSON already, as `parse` does."""
    if isinstance(body, list):
        if not family:
            raise errors.ClientException("A bare list of container definitions needs a family: give one with --family.")
        body = {"containerDefinitions": body}
    if not isinstance(body, dict):
        raise errors.ClientException("A task definition is a JSON object, or a list of container definitions.")
    unwrapped = _unwrapped(body)
    dropped = sorted(OUTPUT_ONLY & unwrapped.keys())
    kept = {name: value for name, value in unwrapped.items() if name not in OUTPUT_ONLY}
    if family:
        kept["family"] = family
    request = codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, kept)
    return Document(request, f"left out what only answers have: {', '.join(dropped)}" if dropped else "")


def _unwrapped(body: dict[str, Any]) -> dict[str, Any]:
    """The registration inside what describe or register answered; a body that is none of these stays as it is."""
    inner = body.get(WRAPPER)
    if not isinstance(inner, dict):
        return body
    # What stands beside the wrapper and is not its tags is kept, to be refused by its name like any other unknown member.
    return inner | {name: value for name, value in body.items() if name != WRAPPER and (name != "tags" or value)}
