"""Events as server-sent messages: what is asked for, and the bytes of each message.

Pure. A message's id is where to go on from: the cursor of the last batch that came before it, and the number of its event, `CURSOR.NUMBER`;
after the last event of a batch it is that batch's own cursor. The log is read again from the cursor, and what is not
above the number left out, so that a client that was cut off within a batch misses nothing and gets nothing twice.
"""

import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longshore.client import client as clients
from longshore.gateway import wire
from longshore.rpc import arns, codec, errors
from longshore.v1 import event_pb2

HEARTBEAT = b":\n\n"
"""A comment: clients take no notice, and whoever is between sees that the connection lives."""

RETRY_MS = 2_000
"""How long a browser waits before it connects again."""

MAX_PARAMETERS = 200

_POSITION = re.compile(r"(?P<cursor>[A-Za-z0-9_-]{1,512})(?:\.(?P<number>[0-9]{1,18}))?")

_SINGLE = frozenset({"cluster", "family", "last_event_id"})
_REPEATED = frozenset({"task", "container-instance"})
_SIGNATURE = "X-Amz-"
"""What a presigned query begins its own parameters with."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on from."""

    cursor: str = ""
    """Empty: from now on."""
    number: int = 0
    """Number of the last event that is known, where the cursor is before it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants to see."""

    cluster: str
    """Name or ARN; empty for the default one."""
    family: str
    tasks: tuple[str, ...]
    container_instances: tuple[str, ...]
    position: Position


def asked(request: wire.Request) -> Asked:
    """What a request asks for. Raises InvalidParameterException for whatever is not understood: a filter is never ignored."""
    given = _parameters(request.query)
    # A browser that connects again has the header, beside whatever its URL has said in the beginning.
    position = request.header("last-event-id") or given.get("last_event_id", [""])[0]
    return Asked(
        cluster=given.get("cluster", [""])[0],
        family=given.get("family", [""])[0],
        tasks=tuple(given.get("task", ())),
        container_instances=tuple(given.get("container-instance", ())),
        position=_position(position.strip()),
    )


def greeting(position: Position) -> bytes:
    """What a stream begins with: where it begins, so that a client which is cut off before the first event goes on from there."""
    return f"retry: {RETRY_MS}\nid: {_id(position)}\n\n".encode()


def messages(batch: clients.Batch, before: Position, *, cluster: str, place: arns.Place) -> Iterator[bytes]:
    """A batch as messages, without what is known at the position `before` it."""
    new = [event for event in batch.events if event.sequence > before.number]
    for event in new:
        whole = event is batch.events[-1]
        position = Position(batch.cursor) if whole else Position(before.cursor, event.sequence)
        kind = "container-instance" if event.HasField("container_instance") else "task"
        data = codec.dumps(document(event, cluster=cluster, place=place))
        yield f"event: {kind}\nid: {_id(position)}\ndata: {data}\n\n".encode("utf-8", "replace")
    if not new:
        # Without data nothing is dispatched, and the client knows its new position all the same.
        yield f"id: {_id(after(batch, before))}\n\n".encode()


def after(batch: clients.Batch, before: Position) -> Position:
    """The position after a batch."""
    passed = bool(batch.events) and batch.events[-1].sequence >= before.number
    return Position(batch.cursor, 0 if passed else before.number)


def document(event: event_pb2.Event, *, cluster: str, place: arns.Place) -> dict[str, Any]:
    """An event as JSON, with ARNs where ECS has them."""
    written = codec.to_json(event, longshore_only=True)
    for change in (written.get("task"), written.get("containerInstance")):
        if change is None:
            continue
        change["clusterArn"] = place.cluster(cluster)
        if task := change.pop("taskId", ""):
            change["taskArn"] = place.task(cluster, task)
        if instance := change.pop("containerInstanceId", ""):
            change["containerInstanceArn"] = place.container_instance(cluster, instance)
        if family := change.pop("family", ""):
            change["taskDefinitionArn"] = place.task_definition(family, change.pop("revision", 0))
    return written


def _id(position: Position) -> str:
    return f"{position.cursor}.{position.number}" if position.number else position.cursor


def _position(text: str) -> Position:
    if not text:
        return Position()
    matched = _POSITION.fullmatch(text)
    if matched is None:
        raise errors.InvalidParameterException("Last-Event-ID is not one that Longshore gave out.")
    return Position(matched["cursor"], int(matched["number"] or 0))


def _parameters(query: str) -> dict[str, Sequence[str]]:
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError:  # too many, or not UTF-8
        raise errors.InvalidParameterException(
            f"The query is not of at most {MAX_PARAMETERS} parameters in UTF-8."
        ) from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in _SINGLE and name in given:
            raise errors.InvalidParameterException(f"The parameter {name} is given twice.")
        if name not in _SINGLE | _REPEATED and not name.startswith(_SIGNATURE):
            known = ", ".join(sorted(_SINGLE | _REPEATED))
            raise errors.InvalidParameterException(f"The parameter {wire.quoted(name)} is none of {known}.")
        if "\x00" in value:
            raise errors.InvalidParameterException(f"The parameter {wire.quoted(name)} has a NUL character.")
        given.setdefault(name, []).append(value)
    return dict(given)
