"""What the command prints: tables for people, JSON in ECS's shape for programs, errors that say what to do next."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.table import Table

from longshore.rpc import codec


class Format(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"


out = Console(highlight=False, soft_wrap=True)
"""Answers. Colours only on a terminal, which Rich finds out itself."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress, notices and errors, so that a pipe gets the answer alone."""


def print_json(message: Message | dict[str, Any]) -> None:
    """Print a message in ECS's shape, or a dictionary that already has it."""
    body = codec.to_json(message) if isinstance(message, Message) else message
    json.dump(body, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under columns; `empty` is the sentence to print where there are none."""
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    count = 0
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
        count += 1
    if count:
        out.print(table)
    else:
        err.print(empty)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print one thing's fields, a line each; a field without a value is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in fields:
        if value not in (None, "", []):
            table.add_row(name, str(value))
    out.print(table)


def notice(text: str) -> None:
    """Say something beside the answer."""
    err.print(text, style="dim")


def when(stamp: Timestamp) -> str:
    """A time as a person reads it, in UTC; empty where there is none."""
    if not stamp.seconds:
        return ""
    return datetime.fromtimestamp(stamp.seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def short(arn: str) -> str:
    """The last part of an ARN: what the commands take as well."""
    return arn.rsplit("/", 1)[-1]
