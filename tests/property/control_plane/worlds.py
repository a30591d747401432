"""The whole of it: two schedulers, two trackers, two hosts, clients, and a bus of which anything may come at any time. What happens is in `actions`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.property.control_plane import commits, hosts, schedulers, tables, transactions
from tests.property.control_plane.rules import Rules

Draw = Callable[[int], int]
"""`draw(n)` gives a number below n: by chance, or by whoever looks for the shortest way to a fault."""


@dataclass
class World:
    """All that there is."""

    rules: Rules = field(default_factory=Rules)
    database: tables.Database = field(default_factory=tables.Database)
    published: list[transactions.Event] = field(default_factory=list)
    requests: list[schedulers.Request] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    """Tasks whose stop was answered."""

    def __post_init__(self) -> None:
        self.database.on_commit = lambda written: commits.at_commit(self.database.rows, written)
        for instance in ("i1", "i2"):
            self.database.rows["instance", instance] = transactions.Instance()
        self.schedulers = [
            schedulers.Scheduler(name, self.rules, self.database, self.published.append) for name in ("s1", "s2")
        ]
        self.trackers = [hosts.Tracker(name, self.rules, self.database) for name in ("t1", "t2")]
        self.agents = [hosts.Agent(instance) for instance in ("i1", "i2")]

    def holding(self, agent: hosts.Agent) -> list[hosts.Tracker]:
        """The tracker that holds an agent's session as the agent has it."""
        return [
            tracker
            for tracker in self.trackers
            if agent.line is not None and (held := tracker.held.get(agent.instance)) and held.line is agent.line
        ]

    def exchange(self, agent: hosts.Agent, tracker: hosts.Tracker, draw: Draw) -> None:
        """Assignments come down and are acted on, reports go up and are recorded. By the draw tasks also end by themselves."""
        for act in (tracker.read, tracker.send):
            act(agent.instance)
        agent.hear()
        for task, known in list(agent.known.items()):
            if known.stopping or known.status == hosts.PENDING or draw(3) == 1:
                agent.work(task)
        agent.report()
        for act in (tracker.hear, tracker.hear, tracker.record):
            act(agent.instance)
        held = tracker.held.get(agent.instance)
        if held is not None and held.recording is not None:
            self.finish(held.recording)
        tracker.send(agent.instance)
        agent.hear()

    def finish_all(self) -> None:
        for transaction in list(self.database.open):
            self.finish(transaction)

    def finish(self, transaction: tables.Transaction) -> None:
        while not transaction.over and self.database.step(transaction):
            pass
