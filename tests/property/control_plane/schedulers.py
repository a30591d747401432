"""A scheduler as the model has it: a view in memory, and at most one commit of it under way. How far it is, is the real transition table."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.scheduler import standing
from tests.property.control_plane import tables, transactions
from tests.property.control_plane.rules import Rules

ROOM = 2
"""Tasks that an instance has room for."""


@dataclass(slots=True)
class View:
    """What a leader knows."""

    reserved: dict[str, set[str]] = field(default_factory=dict)
    facts: dict[str, bool] = field(default_factory=dict)
    seen: int = 0
    position: int = 0


@dataclass(slots=True)
class Request:
    """A RunTask of a client: asked as often as it likes, under one token. Or a StopTask of what it was answered."""

    token: str
    answers: set[str] = field(default_factory=set)


class Scheduler:
    """One process. What it does is decided from outside; what it decides, from its view alone."""

    def __init__(
        self, name: str, rules: Rules, database: tables.Database, publish: Callable[[transactions.Event], None]
    ) -> None:
        self.name = name
        self.epoch = 0
        self.standing = standing.Standing.OVER
        self.view = View()
        self.busy: tables.Transaction | None = None
        self._rules = rules
        self._database = database
        self._publish = publish
        self._released: set[str] = set()
        self._ids = itertools.count(1)

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader; it may be mistaken."""
        return self.standing is standing.Standing.LEADING and self.busy is None

    # ------------------------------------------------------------------------------------------------ leadership

    def run_for_leader(self) -> None:
        """Take the lease, if it has run out."""
        if self.standing is standing.Standing.OVER and self.busy is None:
            self._begin("take over", transactions.take_over(self.name, self._database.clock), self._taken)

    def _taken(self, lease: object) -> None:
        if isinstance(lease, transactions.Lease) and lease.holder == self.name and lease.epoch > self.epoch:
            self.epoch = lease.epoch
            self.standing = standing.Standing.LOADING

    def renew(self) -> None:
        """Keep the lease."""
        if self.standing is not standing.Standing.OVER and self.busy is None:
            work = transactions.renew(self.name, self.epoch, self._database.clock)
            self._begin("renew", work, self._renewed)

    def _renewed(self, kept: object) -> None:
        if kept is False:
            self._move(standing.Change.DEPOSED)

    def load(self) -> None:
        """Read what a leader must know, when all that commits under older leases is over."""
        if self.standing is standing.Standing.LOADING and self.busy is None:
            self._begin("load", transactions.quiesce(self._rules), self._loaded)

    def _loaded(self, outcome: object) -> None:
        if isinstance(outcome, Exception) or self.standing is not standing.Standing.LOADING:
            return
        rows = self._database.rows
        view = View(seen=rows.get(transactions.MEMBERSHIP, 0), position=rows.get(transactions.HEAD, 0))
        for key, row in rows.items():
            if key[0] == "intent" and not row.settled:
                view.reserved.setdefault(row.instance, set()).add(row.task)
                seen = transactions.observed(rows, row.task)
                if seen is not None and seen.released:
                    self._released.add(row.task)
            elif key[0] == "instance":
                view.facts[key[1]] = row.connected
        self.view = view
        self._move(standing.Change.VIEW_LOADED)

    def _move(self, change: standing.Change) -> None:
        self.standing = standing.after(self.standing, change)

    # ------------------------------------------------------------------------------------------------ decisions

    def hear_log(self) -> None:
        """Take in the log up to its head."""
        while self.leads and (event := self._database.rows.get(("event", str(self.view.position + 1)))) is not None:
            self.view.position += 1
            self._hear(event)

    def _hear(self, event: transactions.Event) -> None:
        if event.kind == "released":
            self._released.add(event.subject)
        elif event.kind in {"connected", "disconnected"}:
            self.view.facts[event.instance] = event.kind == "connected"
            # The membership's revision of an event comes with it; what is newer is looked at by the commit.
            self.view.seen = max(self.view.seen, self._membership_at(event))

    def _membership_at(self, event: transactions.Event) -> int:
        later = [
            row
            for key, row in self._database.rows.items()
            if key[0] == "event" and row.sequence <= event.sequence and row.kind in {"connected", "disconnected"}
        ]
        return len(later)

    def place(self, request: Request) -> None:
        """Decide where a task goes, and commit that. Refused where there is no room by the view."""
        if not self.leads:
            return
        fitting = [
            instance
            for instance, connected in sorted(self.view.facts.items())
            if connected and len(self.view.reserved.get(instance, ())) < ROOM
        ]
        if not fitting:
            return
        instance = min(fitting, key=lambda one: len(self.view.reserved.get(one, ())))
        task = f"{self.name}.{self.epoch}.{next(self._ids)}"
        self.view.reserved.setdefault(instance, set()).add(task)
        work = transactions.place(self._rules, self.name, self.epoch, self.view.seen, request.token, task, instance)
        self._begin(f"place {task}", work, lambda outcome: self._placed(request, task, instance, outcome))
        if not self._rules.publish_after_commit:
            base = self._database.rows.get(("assignment", instance), 0)
            self._publish(transactions.Event(0, "placed", task, instance, base, base + 1))

    def _placed(self, request: Request, task: str, instance: str, outcome: object) -> None:
        if not isinstance(outcome, transactions.Placed) or outcome.task != task:
            self.view.reserved[instance].discard(task)
        if isinstance(outcome, transactions.Placed):
            request.answers.add(outcome.task)
            if outcome.event is not None and self._rules.publish_after_commit:
                self._publish(outcome.event)
            return
        self._failed(outcome)

    def stop(self, task: str, told: Callable[[], None]) -> None:
        """Want a task no more."""
        if not self.leads:
            return

        def stopped(outcome: object) -> None:
            if isinstance(outcome, Exception):
                self._failed(outcome)
                return
            told()
            if isinstance(outcome, transactions.Event):
                self._publish(outcome)

        self._begin(f"stop {task}", transactions.stop(self._rules, self.name, self.epoch, task), stopped)

    def settle(self) -> None:
        """Give back what a released task held."""
        if not self.leads or not self._released:
            return
        task = min(self._released)

        def settled(outcome: object) -> None:
            if isinstance(outcome, Exception):
                self._failed(outcome)
                return
            self._released.discard(task)
            for held in self.view.reserved.values():
                held.discard(task)

        self._begin(f"settle {task}", transactions.settle(self._rules, self.name, self.epoch, task), settled)

    def _failed(self, outcome: object) -> None:
        if isinstance(outcome, tables.Unknown):
            # Nobody knows what the tables say: read them anew.
            if self.standing is standing.Standing.LEADING:
                self._move(standing.Change.VIEW_LOST)
        elif str(outcome) == "deposed" and self.standing is not standing.Standing.OVER:
            self._move(standing.Change.DEPOSED)
        elif self.standing is standing.Standing.LEADING:
            self._move(standing.Change.VIEW_LOST)  # deferred: the view was behind

    def _begin(self, name: str, work: "tables.Work[object]", told: Callable[[object], None]) -> None:
        def over(outcome: object) -> None:
            self.busy = None
            told(outcome)

        self.busy = self._database.begin(f"{self.name} {name}", work, over)
