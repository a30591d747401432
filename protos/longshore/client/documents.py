"""Task-definition documents as people have them: a file for `register-task-definition`, or what `describe` printed.

Pure. Three forms are taken: the request itself, `{"taskDefinition": {…}, "tags": […]}` as ECS's describe and register answer,
and a bare list of container definitions, which needs a family from elsewhere.
"""

import json
from dataclasses import dataclass
from typing import Any

from longshore.rpc import codec, errors
from longshore.v1 import registry_service_pb2, task_definition_pb2


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
    notices: tuple[str, ...]


def parse(text: str, *, family: str | None = None) -> Document:
    """Read a task-definition document.

    Raises errors.ClientException naming the path of each fault; an unknown member suggests the nearest known one.
    """
    body = codec.loads(text)
    if isinstance(body, list):
        if not family:
            rule = "a bare list of container definitions needs a family: give one with --family"
            raise errors.ClientException(rule)
        body = {"containerDefinitions": body}
    if not isinstance(body, dict):
        raise errors.ClientException(f"A task definition is a JSON object, not {json.dumps(body)[:40]}.")
    body, notices = _as_registration(body)
    if family:
        body["family"] = family
    return Document(codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, body), notices)


def _as_registration(body: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Unwrap what a describe printed, and drop what only answers have."""
    wrapped = body.get("taskDefinition")
    if isinstance(wrapped, dict):
        unwrapped = dict(wrapped)
        if body.get("tags"):
            unwrapped["tags"] = body["tags"]
        body = unwrapped
    dropped = sorted(OUTPUT_ONLY & body.keys())
    kept = {name: value for name, value in body.items() if name not in OUTPUT_ONLY}
    notices = (f"left out what only answers have: {', '.join(dropped)}",) if dropped else ()
    return kept, notices
