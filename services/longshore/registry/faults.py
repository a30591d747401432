"""What is wrong with a request, all of it, as one refusal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from longshore.rpc import errors

E = TypeVar("E", bound=errors.ServiceError)

MESSAGE_BYTES = 2_000
"""Room for a message: below the transport's limit, so that what does not fit is counted instead of cut in a word."""

METADATA_BYTES = 700
"""Room for the metadata, below the transport's limit for the same reason."""

VALUE_CHARACTERS = 80
"""Longest part of a value that a message shows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One breach of one rule."""

    rule: str
    """Name of the rule."""
    subject: str
    """What the rule is about: `container 'web'`, `volume 'data'`, `the task definition`."""
    field: str
    """Path of the field from the top of the request, as ECS names it."""
    message: str


def shown(value: object) -> str:
    """A value as a message shows it: short, and quoted where it is text."""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return f"a list of {len(value)}"
    if isinstance(value, Message):
        return "given"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]}…"


def refusal(kind: type[E], faults: Sequence[Fault]) -> E:
    """The error that reports every fault. A single one is told in its own words, as ECS would.

    The metadata holds `faults`, how many there are, and `fault_1`, `fault_2`, …: the rule's name and the field.
    """
    return kind(_message(faults), **_metadata(faults))


def _message(faults: Sequence[Fault]) -> str:
    if len(faults) == 1:
        return faults[0].message
    parts = [f"{len(faults)} faults."]
    left = MESSAGE_BYTES - len(parts[0])
    for number, fault in enumerate(faults, start=1):
        part = f" ({number}) {fault.message}"
        left -= len(part.encode())
        if left < 0:
            parts.append(f" … and {len(faults) - number + 1} more.")
            break
        parts.append(part)
    return "".join(parts)


def _metadata(faults: Sequence[Fault]) -> dict[str, str]:
    metadata = {"faults": str(len(faults))}
    left = METADATA_BYTES
    for number, fault in enumerate(faults, start=1):
        entry = f"{fault.rule} {fault.field}"
        left -= len(entry.encode()) + len(f"fault_{number}")
        if left < 0:
            break
        metadata[f"fault_{number}"] = entry
    return metadata
