"""One agent's session as a state machine: what goes out, in which order, and when the tables must be read. No I/O.

`session_server` feeds it what the agent says, what the scheduler publishes and what was read, and sends what `outgoing` gives.
Payloads stay bytes: protobuf defines that concatenating serialised messages appends their repeated fields, so a gathered message
is the join of what was published. The table is in docs/design/agent-session.md.
"""

import enum
from collections import deque
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.v1 import agent_service_pb2

# What gathers behind an unacknowledged message; above it the session forgets and reads the tables, which hold the same.
GATHER_LIMIT_BYTES = 1024 * 1024
ORDERS_LIMIT_BYTES = 256 * 1024
# Publications that are kept while the tables are being read, for the same reason.
KEEP_LIMIT = 256
# The agent's report carries no more; the protocol says so.
REPORT_LIMIT = 1000


class Phase(enum.Enum):
    """Where a session's assignments come from now."""

    READING = enum.auto()
    STREAMING = enum.auto()
    ENDED = enum.auto()


@dataclass(frozen=True, slots=True)
class Published:
    """A published assignment: applies to revision `base`, leads to `revision`."""

    base: int
    revision: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """What the tables say: up to `revision`. `more`: the rest has to be read yet.

    The payload is empty only where the revision is the one that the session has: an agent is told every revision, also one that
    brings nothing, because the next assignment names it as its base.
    """

    revision: int
    payload: bytes
    more: bool = False


class Session:
    """A session from its welcome to its end."""

    __slots__ = (
        "_claim",
        "_gathered",
        "_gathered_bytes",
        "_in_flight",
        "_kept",
        "_orders",
        "_report_ack",
        "_reporting",
        "_sent",
        "_tip",
        "epoch",
        "error",
        "instance_id",
        "instance_version",
        "phase",
        "process_id",
    )

    def __init__(
        self,
        *,
        instance_id: str,
        process_id: str,
        epoch: int,
        instance_version: int,
        assignment_revision: int,
        assignment_lineage: int = 0,
    ) -> None:
        """`assignment_revision` is the last one that the agent has persisted, and its lineage as far as known; 0 asks for a full set."""
        self.instance_id = instance_id
        self.process_id = process_id
        self.epoch = epoch
        self.instance_version = instance_version
        self.phase = Phase.READING
        self.error: errors.ServiceError | None = None
        # Sent to the agent up to here; gathered, or sent, up to `_tip`.
        self._sent = assignment_revision
        self._tip = assignment_revision
        self._claim: int | None = assignment_lineage
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._in_flight: int | None = None
        self._kept: deque[Published] | None = deque()
        self._reporting: int | None = None
        self._report_ack: int | None = None
        self._orders: list[bytes] = []

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.phase is Phase.ENDED

    @property
    def tip(self) -> int:
        """The revision after which the tables are to be read."""
        return self._tip

    @property
    def claim(self) -> int | None:
        """The lineage of the tip as the agent claims it; None once the tip is what the tables have said in this session."""
        return self._claim

    @property
    def needs_reading(self) -> bool:
        """Whether the tables should be read now. Not while something is under way: it may have to be forgotten."""
        return self.phase is Phase.READING and self._in_flight is None and not self._gathered

    def offer(self, published: Published) -> None:
        """Take an assignment from the bus."""
        if self.phase is Phase.READING:
            self._keep(published)
        elif self.phase is Phase.STREAMING and published.revision > self._tip:
            if published.base == self._tip:
                self._gather(published.revision, published.payload)
            else:
                self.fall_behind()

    def fall_behind(self) -> None:
        """Something was missed: go on from the tables."""
        if self.phase is Phase.STREAMING:
            self.phase = Phase.READING
            self._kept = deque()
        elif self.phase is Phase.READING:
            self._kept = None  # what is being read may be older than what was missed: read once more after it

    def read(self, read: Read) -> None:
        """Take what the tables said, then what was published meanwhile."""
        if self.phase is not Phase.READING:
            return
        kept, self._kept = self._kept, deque()
        if read.payload:
            self._gather(read.revision, read.payload)
        else:
            self._claim = None  # it was looked at, and there is nothing to add
        self._tip = max(self._tip, read.revision)
        if kept is None or read.more:
            return
        self.phase = Phase.STREAMING
        for published in kept:
            self.offer(published)

    def acknowledge(self, revision: int) -> None:
        """The agent has persisted its assignment up to here."""
        if self._in_flight is not None and revision >= self._in_flight:
            self._in_flight = None

    def report(self, report: agent_service_pb2.Report) -> None:
        """A report has come and goes to the recorder. Raises where the agent breaks the protocol."""
        if self._reporting is not None:
            raise errors.InvalidParameterException(
                f"report {report.number} was sent before report {self._reporting} was acknowledged"
            )
        if len(report.tasks) > REPORT_LIMIT:
            raise errors.InvalidParameterException(
                f"report {report.number} has {len(report.tasks)} tasks; at most {REPORT_LIMIT} are allowed"
            )
        if report.number < 1:
            raise errors.InvalidParameterException(f"reports are numbered from 1, this one is {report.number}")
        self._reporting = report.number

    def recorded(self, number: int) -> None:
        """Reports up to this number are recorded."""
        self._reporting = None
        self._report_ack = max(number, self._report_ack or 0)

    def order(self, payload: bytes) -> None:
        """Ask the agent for a stream: a serialised message of this stream. Goes out at once, acknowledged by the stream itself."""
        self._orders.append(payload)

    def end(self, error: errors.ServiceError | None) -> None:
        """The session is over; `error` is what the agent is told. The first end counts."""
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self.error = error
            self._gathered.clear()
            self._kept = None

    def outgoing(self) -> bytes | None:
        """The next message, None where there is nothing to send now."""
        parts: list[bytes] = []
        if self._gathered and self._in_flight is None:
            parts = self._gathered
            self._gathered = []
            self._gathered_bytes = 0
            self._sent = self._in_flight = self._tip
            self._claim = None
        if self._report_ack is not None:
            ack = agent_service_pb2.ReportAck(number=self._report_ack)
            parts.append(agent_service_pb2.SessionResponse(report_ack=ack).SerializeToString())
            self._report_ack = None
        if self._orders:
            parts = [*parts, *self._next_orders()]
        return b"".join(parts) if parts else None

    def _next_orders(self) -> list[bytes]:
        """Orders for one message; the others go with the next one: an agent takes no message of any size."""
        size = count = 0
        for order in self._orders:
            size += len(order)
            if count and size > ORDERS_LIMIT_BYTES:
                break
            count += 1
        taken, self._orders = self._orders[:count], self._orders[count:]
        return taken

    def _gather(self, revision: int, payload: bytes) -> None:
        if self._gathered_bytes + len(payload) > GATHER_LIMIT_BYTES and self._gathered:
            self._forget()
            return
        self._gathered.append(payload)
        self._gathered_bytes += len(payload)
        self._tip = revision

    def _forget(self) -> None:
        """Too much waits: drop it and read it from the tables when the agent has caught up."""
        self._gathered.clear()
        self._gathered_bytes = 0
        self._tip = self._sent
        self.phase = Phase.READING
        self._kept = deque()

    def _keep(self, published: Published) -> None:
        if self._kept is not None:
            self._kept.append(published)
            if len(self._kept) > KEEP_LIMIT:
                self._kept = None
