"""What the command prints: tables for people, JSON in ECS's shape for programs, notices beside the answer."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from longshore.rpc import codec

PIPE_WIDTH = 1_000
"""Columns where nobody's terminal bounds them: an id that is folded into two lines cannot be found by grep."""


class Format(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"


def _console(stream: TextIO, *, stderr: bool = False) -> Console:
    """A console; colours only on a terminal, which Rich finds out itself."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=None if stream.isatty() else PIPE_WIDTH)


out = _console(sys.stdout)
"""Answers."""

err = _console(sys.stderr, stderr=True)
"""Notices and errors, so that a pipe gets the answer alone."""


def print_json(message: Message | dict[str, Any], *, indent: int | None = 2, longshore_only: bool = False) -> None:
    """Print a message in ECS's shape, or a dictionary that already has it."""
    body = codec.to_json(message, longshore_only=longshore_only) if isinstance(message, Message) else message
    json.dump(body, sys.stdout, indent=indent, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
    """Print rows under columns; `empty` is the sentence to print, beside the answer, where there are none."""
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    if table.row_count:
        _print_trimmed(table)
    elif empty:
        notice(empty)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print one thing's fields, a line each; a field without a value is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in fields:
        if value not in {None, ""}:
            table.add_row(name, Text(str(value)))
    _print_trimmed(table)


def _print_trimmed(table: Table) -> None:
    """Print a table without the blanks that fill its last column."""
    with out.capture() as captured:
        out.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    sys.stdout.flush()


def say(text: str) -> None:
    """Print one line of an answer as it is."""
    out.print(text, markup=False)


def print_ids(arns: Iterable[str]) -> None:
    """Print the ids of things alone, for `$(…)` in a shell."""
    for arn in arns:
        say(short(arn))


def abandon() -> None:
    """Write no more: whoever read our output has gone, and the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notice(text: str) -> None:
    """Say something beside the answer."""
    err.print(text, style="dim", markup=False)


def when(stamp: Timestamp) -> str:
    """A time as a person reads it, in UTC; empty where there is none."""
    if not stamp.seconds:
        return ""
    return datetime.fromtimestamp(stamp.seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def short(arn: str) -> str:
    """The last part of an ARN: what the commands take as well."""
    return arn.rpartition("/")[2]
