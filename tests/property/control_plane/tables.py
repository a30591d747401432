"""An abstract database: rows, locks and transactions that take their steps one at a time, in any order between them, as in PostgreSQL.

A transaction is a generator of statements. Under READ COMMITTED a read sees what is committed at that moment and what the transaction
has written itself; a row lock is held until the end; whoever waits for one sees the row as it is when it comes. Whether a transaction
commits, and whether anybody hears of it, is decided by whoever runs the model.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

T = TypeVar("T")

Key = tuple[str, ...]
"""Of a row: its table, and its own key."""

Rows = dict[Key, Any]


class Violation(AssertionError):  # noqa: N818 - named by what it is
    """A rule of DESIGN section 6 does not hold: what the model is for."""


class Mode(Enum):
    """Of a lock."""

    SHARE = auto()
    EXCLUSIVE = auto()


@dataclass(frozen=True, slots=True)
class Lock:
    """SELECT … FOR SHARE or FOR UPDATE of one row; gives it, None where there is none."""

    key: Key
    mode: Mode


@dataclass(frozen=True, slots=True)
class Look:
    """A query: any function of all rows."""

    question: Callable[[Rows], Any]


@dataclass(frozen=True, slots=True)
class Write:
    """INSERT or UPDATE of one row, which locks it."""

    key: Key
    row: Any


Statement = Lock | Look | Write
Work = Generator[Statement, Any, T]


class State(Enum):
    """How far a transaction is."""

    OPEN = auto()
    WAITING = auto()
    DONE = auto()
    """All its statements are: what is left is to commit."""
    COMMITTED = auto()
    ABORTED = auto()


@dataclass(slots=True, eq=False)
class Transaction:
    """One that is under way. `told` hears how it ended: with what it gave, or with the exception that it raised."""

    name: str
    work: Work[Any]
    told: Callable[[Any], None] | None
    state: State = State.OPEN
    written: Rows = field(default_factory=dict)
    outcome: Any = None
    wants: Lock | None = None
    answer: Any = None
    started: bool = False

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in {State.COMMITTED, State.ABORTED}


class Database:
    """The rows that are committed, and who holds what."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.clock = 0
        self.open: list[Transaction] = []
        self.on_commit: Callable[[Rows], None] = lambda _: None
        """Looks at what a commit is about to write."""
        self._locks: dict[Key, dict[int, Mode]] = {}

    def begin(self, name: str, work: Work[Any], told: Callable[[Any], None]) -> Transaction:
        """Begin a transaction."""
        made = Transaction(name, work, told)
        self.open.append(made)
        return made

    def step(self, transaction: Transaction) -> bool:
        """Let it take its next statement, or commit; whether it got on."""
        if transaction.state is State.DONE:
            self._commit(transaction)
            return True
        if transaction.state is State.WAITING:
            assert transaction.wants is not None
            if not self._lock(transaction, transaction.wants):
                return False
            transaction.answer = self._row(transaction, transaction.wants.key)
            transaction.state, transaction.wants = State.OPEN, None
            return True
        try:
            statement = transaction.work.send(transaction.answer if transaction.started else None)
        except StopIteration as end:
            transaction.state, transaction.outcome = State.DONE, end.value
            return True
        except Refused as refusal:
            self.abort(transaction, refusal)
            return True
        transaction.started, transaction.answer = True, None
        self._take(transaction, statement)
        return True

    def _take(self, transaction: Transaction, statement: Statement) -> None:
        if isinstance(statement, Look):
            transaction.answer = statement.question(self.rows | transaction.written)
            return
        wanted = statement if isinstance(statement, Lock) else Lock(statement.key, Mode.EXCLUSIVE)
        if isinstance(statement, Write):
            if not self._lock(transaction, wanted):
                raise AssertionError(f"{transaction.name} writes {statement.key} without having locked it")
            transaction.written[statement.key] = statement.row
        elif self._lock(transaction, wanted):
            transaction.answer = self._row(transaction, wanted.key)
        else:
            transaction.state, transaction.wants = State.WAITING, wanted
            self._find_deadlock(transaction)

    def leave(self, transaction: Transaction) -> None:
        """Whoever began it hears of it no more: its connection is lost. What had not come to its commit is rolled back."""
        if transaction.state is not State.DONE:
            self.abort(transaction, Unknown())
            return
        told, transaction.told = transaction.told, None
        if told is not None:
            told(Unknown())

    def abort(self, transaction: Transaction, why: Exception) -> None:
        """Roll it back."""
        self._end(transaction, State.ABORTED)
        if transaction.told is not None:
            transaction.told(why)

    def _commit(self, transaction: Transaction) -> None:
        self.on_commit(transaction.written)
        self.rows.update(transaction.written)
        self._end(transaction, State.COMMITTED)
        if transaction.told is not None:
            transaction.told(transaction.outcome)

    def _end(self, transaction: Transaction, state: State) -> None:
        transaction.state = state
        transaction.work.close()
        self.open.remove(transaction)
        for holders in self._locks.values():
            holders.pop(id(transaction), None)

    def _row(self, transaction: Transaction, key: Key) -> Any:
        return transaction.written.get(key, self.rows.get(key))

    def _lock(self, transaction: Transaction, wanted: Lock) -> bool:
        holders = self._locks.setdefault(wanted.key, {})
        others = [mode for holder, mode in holders.items() if holder != id(transaction)]
        if others and (wanted.mode is Mode.EXCLUSIVE or Mode.EXCLUSIVE in others):
            return False
        if holders.get(id(transaction)) is not Mode.EXCLUSIVE:
            holders[id(transaction)] = wanted.mode
        return True

    def _find_deadlock(self, first: Transaction) -> None:
        """The lock order is one, so nobody ever waits in a circle."""
        seen, front = {id(first)}, [first]
        by_id = {id(one): one for one in self.open}
        while front:
            waiting = front.pop()
            if waiting.wants is None:
                continue
            for holder in self._locks.get(waiting.wants.key, {}):
                if holder == id(first) and waiting is not first:
                    raise Violation(f"{first.name} and {waiting.name} wait for each other")
                if holder not in seen and holder in by_id:
                    seen.add(holder)
                    front.append(by_id[holder])


class Refused(Exception):  # noqa: N818 - named by what happened
    """A transaction finds that it must not go on."""


class Unknown(Exception):  # noqa: N818 - named by what happened
    """The connection was lost: it is committed, or not, or will be."""


def lock(key: Key, mode: Mode = Mode.EXCLUSIVE) -> Work[Any]:
    """Lock a row and give it."""
    row = yield Lock(key, mode)
    return row


def look(question: Callable[[Rows], T]) -> Work[T]:
    """Ask a query."""
    found: T = yield Look(question)
    return found


def write(key: Key, row: Any) -> Work[None]:
    """Write a row."""
    yield Write(key, row)
