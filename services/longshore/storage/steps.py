"""Statements, and the generators that a transaction is made of.

A transaction is a generator: it yields statements, is sent their results and returns its own. It awaits nothing and touches
nothing shared, so an engine can run all of it in another thread, or run it again from its start.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Row(Protocol):
    """One result row: `row["column"]`, `row[0]`, `len(row)`, iteration over its values, `dict(row)`."""

    def __getitem__(self, key: Any, /) -> Any:
        """Value of a column by its name or place."""

    def __len__(self) -> int:
        """Number of columns."""

    def __iter__(self) -> Iterator[Any]:
        """The values in order."""

    def keys(self) -> Any:
        """Names of the columns in order."""


class Shape(Enum):
    """What a query is expected to give back."""

    ROWS = auto()
    ROW = auto()
    VALUE = auto()
    AFFECTED = auto()


@dataclass(frozen=True, slots=True)
class Query:
    """One SQL statement with its arguments, `$1` first. Arguments that are lists are for `Dialect.member`."""

    sql: str
    args: tuple[Any, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class InsertMany:
    """New rows for one table, in one go."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Assignment:
    """How one column of a bulk update takes its value: replaced, or added to what is there."""

    column: str
    add: bool


@dataclass(frozen=True, slots=True)
class UpdateMany:
    """Changes to rows of one table by key. Each row holds the values of the keys, then those of the assignments."""

    table: str
    keys: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    rows: Sequence[Sequence[Any]]


Statement: TypeAlias = Query | InsertMany | UpdateMany
Step: TypeAlias = Generator[Statement, Any, T]


def fetch(sql: str, *args: Any) -> Step[list[Row]]:
    """All rows of a query."""
    rows: list[Row] = yield Query(sql, args, Shape.ROWS)
    return rows


def fetch_row(sql: str, *args: Any) -> Step[Row | None]:
    """The first row of a query, None where there is none."""
    row: Row | None = yield Query(sql, args, Shape.ROW)
    return row


def fetch_value(sql: str, *args: Any) -> Step[Any]:
    """The first column of the first row of a query, None where there is none."""
    value = yield Query(sql, args, Shape.VALUE)
    return value


def execute(sql: str, *args: Any) -> Step[int]:
    """Run a statement that changes rows; gives how many."""
    affected: int = yield Query(sql, args, Shape.AFFECTED)
    return affected


def insert_many(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Step[None]:
    """Insert rows. A key that is taken raises Conflict and none is inserted."""
    if rows:
        yield InsertMany(table, tuple(columns), rows)


def update_many(
    table: str,
    keys: Sequence[str],
    columns: Sequence[str | tuple[str, Literal["add"]]],
    rows: Sequence[Sequence[Any]],
) -> Step[int]:
    """Update rows by key, each row once; gives how many existed.

    Each row holds the values of `keys`, then one value per column; `("n", "add")` adds it to the column. The same key twice
    is a ValueError: the engines would differ in which of the two counts.
    """
    if not rows:
        return 0
    distinct = {tuple(row[: len(keys)]) for row in rows}
    if len(distinct) != len(rows):
        raise ValueError(f"update_many of {table}: a key occurs more than once")
    assignments = tuple(
        Assignment(column, add=False) if isinstance(column, str) else Assignment(column[0], add=True)
        for column in columns
    )
    affected: int = yield UpdateMany(table, tuple(keys), assignments, rows)
    return affected
