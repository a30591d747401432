"""A session, a bus that loses, doubles and reorders, and an agent that reconnects: the agent ends with what the scheduler wrote."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from longshore.state_tracker import sessions
from longshore.v1 import agent_service_pb2


class Assigning(RuleBasedStateMachine):
    """The scheduler's table is a list of tasks: revision n placed task n."""

    def __init__(self) -> None:
        super().__init__()
        self.newest = 0
        self.published: list[sessions.Published] = []
        self.agent_revision = 0
        self.agent_tasks: list[int] = []
        self.in_flight: list[bytes] = []
        self.session = self._connect()

    def _connect(self) -> sessions.Session:
        self.in_flight = []
        return sessions.Session(
            instance_id="i",
            process_id="p",
            epoch=1,
            instance_version=1,
            assignment_revision=self.agent_revision,
        )

    @staticmethod
    def _payload(base: int, revision: int) -> bytes:
        made = agent_service_pb2.Assignment(base_revision=base, revision=revision)
        for number in range(base + 1, revision + 1):
            made.tasks.add(task_id=str(number))
        return agent_service_pb2.SessionResponse(assignments=[made]).SerializeToString()

    @rule()
    def place(self) -> None:
        self.newest += 1
        self.published.append(
            sessions.Published(self.newest - 1, self.newest, self._payload(self.newest - 1, self.newest))
        )

    @rule(data=st.data())
    def deliver_any(self, data: st.DataObject) -> None:
        if self.published:
            self.session.offer(data.draw(st.sampled_from(self.published)))

    @rule()
    def deliver_newest(self) -> None:
        if self.published:
            self.session.offer(self.published[-1])

    @rule()
    def miss(self) -> None:
        self.session.fall_behind()

    @rule(page=st.integers(1, 3))
    def read_tables(self, page: int) -> None:
        if self.session.needs_reading:
            after = self.session.tip
            revision = min(self.newest, after + page) if after else self.newest
            same = bool(after) and revision == after
            payload = b"" if same else self._payload(after, revision)
            self.session.read(sessions.Read(revision, payload, more=revision < self.newest))

    @rule()
    def send(self) -> None:
        outgoing = self.session.outgoing()
        if outgoing is not None:
            assert not self.in_flight, "two messages are unacknowledged"
            self.in_flight.append(outgoing)

    @rule()
    def arrive(self) -> None:
        if self.in_flight:
            message = agent_service_pb2.SessionResponse.FromString(self.in_flight.pop())
            for assignment in message.assignments:
                if assignment.base_revision == 0:
                    self.agent_tasks = []
                else:
                    assert assignment.base_revision == self.agent_revision, "an increment does not fit"
                self.agent_tasks += [int(task.task_id) for task in assignment.tasks]
                self.agent_revision = assignment.revision
            self.session.acknowledge(self.agent_revision)

    @rule()
    def reconnect(self) -> None:
        self.session = self._connect()

    @invariant()
    def the_agent_has_exactly_what_its_revision_says(self) -> None:
        assert self.agent_tasks == list(range(1, self.agent_revision + 1))

    def teardown(self) -> None:
        # Left alone, with one more look at the tables, the agent gets everything.
        self.session.fall_behind()
        for _ in range(4 * (self.newest + 3)):
            self.read_tables(page=1)
            self.send()
            self.arrive()
        assert self.agent_revision == self.newest


TestAssigning = Assigning.TestCase
TestAssigning.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
