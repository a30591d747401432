"""Agents and state-trackers as the model has them, with the real session, assignments, reports and their numbers between them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.agent import assignments, reports
from longshore.state_tracker import sessions
from longshore.v1 import agent_service_pb2, task_pb2
from tests.property.control_plane import tables, transactions
from tests.property.control_plane.rules import Rules
from tests.property.control_plane.tables import Violation

PENDING, RUNNING, STOPPED = (
    task_pb2.TASK_STATUS_PENDING,
    task_pb2.TASK_STATUS_RUNNING,
    task_pb2.TASK_STATUS_STOPPED,
)


@dataclass(slots=True, eq=False)
class Line:
    """A stream between an agent and a tracker. What was sent before it broke may still come up; nothing comes down any more."""

    up: deque[agent_service_pb2.SessionRequest | int] = field(default_factory=deque)
    """Reports and acknowledged revisions."""
    down: deque[bytes] = field(default_factory=deque)
    broken: bool = False


@dataclass(slots=True)
class Known:
    """A task that an agent knows."""

    status: int = PENDING
    stopping: bool = False

    @property
    def stopped(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.status == STOPPED


class Agent:
    """One host. What it knows survives its sessions, and its own end."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.known: dict[str, Known] = {}
        self.starts: dict[str, int] = {}
        """How often each task was started here: the truth."""
        self.line: Line | None = None
        self._revision = 0
        self._reports = reports.Reports()
        self._full = False

    @property
    def revision(self) -> int:
        """Of its assignment, as its hello says it."""
        return 0 if self._full else self._revision

    @property
    def running(self) -> int:
        """Tasks that run here."""
        return sum(one.status == RUNNING for one in self.known.values())

    def welcome(self, line: Line, recorded: int) -> None:
        """A session has begun."""
        self.line = line
        if self._reports.reopen(recorded):
            for task in self.known:
                self._reports.mark(task)

    def lose_line(self) -> None:
        """The stream has broken."""
        if self.line is not None:
            self.line.broken = True
            self.line = None

    def restart(self) -> None:
        """The process ends and comes back, with what it had written down. Its containers run on."""
        self.lose_line()
        recorded = self._reports.recorded
        self._reports = reports.Reports()
        self._reports.resume(recorded)
        for task in self.known:
            self._reports.mark(task)

    def hear(self) -> None:
        """Take the next message."""
        if self.line is None or not self.line.down:
            return
        message = agent_service_pb2.SessionResponse.FromString(self.line.down.popleft())
        if message.HasField("report_ack"):
            self._forget(self._reports.acknowledge(message.report_ack.number))
        if not message.assignments:
            return
        try:
            found = assignments.changes(message.assignments, revision=self._revision, known=self.known)
        except assignments.RevisionGap:
            self._full = True
            self.lose_line()
            return
        self._full = False
        for task in found.starts:
            self.known[task.task_id] = Known()
            self._reports.mark(task.task_id)
        for task_id in found.stops:
            self.known[task_id].stopping = True
        for task_id in found.unknown:
            self.known[task_id] = Known(STOPPED, stopping=True)
        for task_id in (*found.unknown, *found.repeats):
            self._reports.mark(task_id)
        self._revision = found.revision
        self.line.up.append(found.revision)

    def _forget(self, acknowledged: tuple[reports.Acknowledged, ...]) -> None:
        """What is released and recorded needs not be known any more."""
        for one in acknowledged:
            if one.released:
                self.known.pop(one.task_id, None)

    def work(self, task: str) -> None:
        """Bring a task one step on: start it, or let it end."""
        one = self.known[task]
        if one.status == PENDING and not one.stopping:
            self.starts[task] = self.starts.get(task, 0) + 1
            one.status = RUNNING
        elif one.status != STOPPED:
            one.status = STOPPED
        else:
            return
        self._reports.mark(task)

    def report(self) -> None:
        """Send what is to be told."""
        if self.line is None:
            return
        report = self._reports.next(self._observe)
        if report is not None:
            self.line.up.append(agent_service_pb2.SessionRequest(report=report))

    def _observe(self, task: str) -> agent_service_pb2.TaskObservation | None:
        one = self.known.get(task)
        if one is None:
            return None
        return agent_service_pb2.TaskObservation(task_id=task, last_status=one.status, released=one.stopped)  # type: ignore[arg-type]


@dataclass(slots=True)
class Held:
    """A session that a tracker holds."""

    session: sessions.Session
    line: Line
    recording: tables.Transaction | None = None
    report: agent_service_pb2.Report | None = None
    """One that is to be recorded, or whose recording came to nothing."""


class Tracker:
    """One process."""

    def __init__(self, name: str, rules: Rules, database: tables.Database) -> None:
        self.name = name
        self.held: dict[str, Held] = {}
        self._rules = rules
        self._database = database
        self._position = 0

    def take(self, agent: Agent) -> None:
        """Take an agent's hello: a new line, whose session begins when it is in the tables."""
        agent.lose_line()
        line = Line()
        revision = agent.revision

        def opened(outcome: object) -> None:
            if not isinstance(outcome, transactions.Opened) or outcome.again or line.broken or agent.line is not None:
                return
            session = sessions.Session(
                instance_id=agent.instance,
                process_id=agent.instance,
                epoch=outcome.epoch,
                instance_version=1,
                assignment_revision=revision,
            )
            self.held[agent.instance] = Held(session, line)
            agent.welcome(line, outcome.recorded)

        work = transactions.open_session(self._rules, self.name, agent.instance)
        self._database.begin(f"{self.name} opens {agent.instance}", work, opened)

    def crash(self) -> None:
        """It is killed: its sessions are gone, and what it was recording is rolled back or comes to its end unheard."""
        for held in self.held.values():
            held.line.broken = True
            if held.recording is not None:
                self._database.leave(held.recording)
        self.held = {}

    def hear(self, instance: str) -> None:
        """Take the next message of an agent, also one that had been sent before the stream broke."""
        held = self.held.get(instance)
        if held is None or not held.line.up:
            return
        message = held.line.up.popleft()
        if isinstance(message, int):
            held.session.acknowledge(message)
        elif held.report is None:
            held.session.report(message.report)
            held.report = message.report
        else:
            raise Violation(f"{instance} sent a report before the last one was acknowledged")

    def record(self, instance: str) -> None:
        """Begin to record what was reported."""
        held = self.held.get(instance)
        if held is None or held.report is None or held.recording is not None:
            return

        def recorded(outcome: object) -> None:
            held.recording = None
            if isinstance(outcome, int):
                held.report = None
                held.session.recorded(outcome)
            elif not isinstance(outcome, tables.Unknown):
                self._end(instance, held)
            # Unknown: run again, the number says whether it happened.

        work = transactions.record(self._rules, instance, held.session.epoch, held.report)
        held.recording = self._database.begin(f"{self.name} records {instance}", work, recorded)

    def _end(self, instance: str, held: Held) -> None:
        held.line.broken = True
        if self.held.get(instance) is held:
            del self.held[instance]

    def read(self, instance: str) -> None:
        """Read the tables for a session that needs it."""
        held = self.held.get(instance)
        if held is None or not held.session.needs_reading:
            return
        after = held.session.tip
        made = transactions.assignment(self._rules, self._database.rows, instance, after)
        if made is None:
            held.session.read(sessions.Read(after, b""))
        else:
            payload = agent_service_pb2.SessionResponse(assignments=[made]).SerializeToString()
            held.session.read(sessions.Read(made.revision, payload))

    def send(self, instance: str) -> None:
        """Send what is to go out."""
        held = self.held.get(instance)
        if held is not None and (outgoing := held.session.outgoing()) is not None and not held.line.broken:
            held.line.down.append(outgoing)

    def offer(self, event: transactions.Event) -> None:
        """A publication has come: for the first time, again, or late."""
        held = self.held.get(event.instance)
        if held is None or not event.revision:
            return
        made = agent_service_pb2.Assignment(base_revision=event.base, revision=event.revision)
        if event.base == 0:
            return  # it would be a full set: the tables say it
        if event.kind == "placed":
            made.tasks.add(task_id=event.subject)
        else:
            made.stops.add(task_id=event.subject)
        payload = agent_service_pb2.SessionResponse(assignments=[made]).SerializeToString()
        held.session.offer(sessions.Published(event.base, event.revision, payload))

    def hear_log(self) -> None:
        """Take in the log up to its head: sessions that it touches read the tables."""
        while (event := self._database.rows.get(("event", str(self._position + 1)))) is not None:
            self._position += 1
            held = self.held.get(event.instance)
            if held is not None and self._rules.gap_is_read and event.revision > held.session.tip:
                held.session.fall_behind()

    def silent(self, instance: str, told: Callable[[object], None] = lambda _: None) -> None:
        """The lease of a session has run out."""
        held = self.held.get(instance)
        if held is None:
            return
        self._end(instance, held)
        work = transactions.disconnect(instance, held.session.epoch)
        self._database.begin(f"{self.name} disconnects {instance}", work, told)
