"""The agent's side of the control stream: one session a round, a new one after any end.

A round dials, says hello and runs a reader and a writer; the first failure ends both. Assignments are acknowledged once they
are on disk, reports leave one at a time, and something is sent in every heartbeat interval. No container is touched because a
session ended.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

import grpc.aio
import structlog

from longshore.agent import assignments, engine, registration, stored, streams
from longshore.rpc import backoff, errors, loops
from longshore.v1 import agent_service_pb2

_log = structlog.get_logger(__name__)

WELCOME_TIMEOUT_S = 15.0
"""From the hello to the welcome: the tracker writes the new epoch."""
CONTESTED_PAUSE_S = 60.0
"""Pause after another agent has taken the session: two that reconnect at once would take it from each other for ever."""
REJECTED_PAUSE_S = 60.0
"""Pause after a wrong credential, which only a person can put right."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_PART = 0.1
"""Of the heartbeat interval, as the ceiling of the first pause after a session: a tracker with many sessions asks for longer intervals, and
when it is gone its agents come to the next one spread over the more time the more of them there are."""
MOVE_PAUSE_S = 600.0
"""After a move that a tracker asked for, no other is made for so long: whoever cannot reach the others is left in peace."""
_APPOINTMENT_JITTER = (1.0, 1.25)
"""What the time to wait that a tracker names is multiplied with. Never earlier; not all of a batch in the same moment."""
_SAVE_FIRST_PAUSE_S = 0.2
_SAVE_LONGEST_PAUSE_S = 3.0
_MILLISECONDS = 1000


class Stub(Protocol):
    """What begins a session: the stub of AgentService, or what stands in for it."""

    @property
    def Session(self) -> Callable[[], Any]:  # noqa: N802 - the contract's name
        """The RPC. Any: gRPC types what a call reads as message or EOF, which cannot be told apart."""


class Sessions:
    """The sessions of one identity, one after the other."""

    def __init__(
        self,
        *,
        stub: Stub,
        host: engine.TaskEngine,
        due: asyncio.Event,
        process_id: str,
        agent_version: str,
        source: random.Random,
        opened: streams.Streams,
    ) -> None:
        self._stub = stub
        self._host = host
        self._due = due
        self._process_id = process_id
        self._agent_version = agent_version
        self._source = source
        self._streams = opened
        self._moved_at: float | None = None
        self.connected = False

    async def keep(self, identity: stored.Identity) -> NoReturn:
        """Hold a session, again and again, until the identity turns out to be void (Deregistered)."""
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S, source=self._source)
        while True:
            try:
                await self._round(identity, pauses)
            except errors.Aborted as error:
                _log.error("session_taken_over", error=error.message, pause_s=CONTESTED_PAUSE_S)
                await asyncio.sleep(CONTESTED_PAUSE_S * self._source.uniform(0.5, 1.5))
            except errors.Unauthenticated as error:
                _log.error("session_rejected", error=error.message, pause_s=REJECTED_PAUSE_S)
                await asyncio.sleep(REJECTED_PAUSE_S * self._source.uniform(0.5, 1.5))
            except errors.ServiceError as error:
                if error.code is errors.Code.NOT_FOUND:
                    raise registration.Deregistered(error.message) from error
                if errors.MOVE in error.metadata:
                    self._moved_at = asyncio.get_running_loop().time()
                pause_s = error.retry_after_s
                if pause_s is not None:
                    _log.info("session_postponed", pause_s=pause_s)
                    await asyncio.sleep(pause_s * self._source.uniform(*_APPOINTMENT_JITTER))
                else:
                    _log.warning("session_lost", error_reason=error.reason, error=error.message)
                    await pauses.sleep()
            except assignments.RevisionGap as error:
                self._host.missed = True
                _log.warning("assignments_missed", error=str(error))
                await pauses.sleep()
            finally:
                self.connected = False

    async def _round(self, identity: stored.Identity, pauses: backoff.Backoff) -> None:
        call = self._stub.Session()
        try:
            first = await _answered(call, self._hello(identity, call.replicas))
            welcome: agent_service_pb2.Welcome = first.welcome
            pauses.first = _first_pause_s(welcome)
            pauses.reset()
            self.connected = True
            _log.info("session_opened", session_epoch=welcome.session_epoch, recorded_report=welcome.recorded_report)
            if self._host.reports.reopen(welcome.recorded_report):
                _log.warning("reports_forgotten", recorded_report=welcome.recorded_report)
                self._host.tell_all()
            round_ = _Round(self._host, self._due, call, welcome, self._opener(identity, call.address))
            await round_.take(first)
            await round_.run()
        except errors.Unavailable:
            # It leaves, is silent or gone, or has lost its database: the next one may have more luck.
            call.avoid_replica()
            raise
        finally:
            call.cancel()

    def _opener(self, identity: stored.Identity, address: str) -> Callable[[agent_service_pb2.StreamOrder], None]:
        return lambda order: self._streams.open(order, identity, session_at=address)

    def _hello(self, identity: stored.Identity, trackers: int) -> agent_service_pb2.Hello:
        moved = self._moved_at is not None and asyncio.get_running_loop().time() - self._moved_at < MOVE_PAUSE_S
        full_set = self._host.missed or bool(self._host.orphans)
        return agent_service_pb2.Hello(
            container_instance_id=identity.instance_id,
            instance_credential=identity.credential,
            assignment_revision=0 if full_set else self._host.revision,
            assignment_lineage=self._host.lineage,
            agent_version=self._agent_version,
            agent_process_id=self._process_id,
            may_move=trackers > 1 and not moved,
        )


async def _answered(call: Any, hello: agent_service_pb2.Hello) -> agent_service_pb2.SessionResponse:
    """Say hello; the message with the welcome."""
    try:
        async with asyncio.timeout(WELCOME_TIMEOUT_S):
            await call.write(agent_service_pb2.SessionRequest(hello=hello))
            first = await call.read()
    except TimeoutError as error:
        raise errors.Unavailable(f"no welcome within {WELCOME_TIMEOUT_S:.0f} s") from error
    if first is grpc.aio.EOF or not first.HasField("welcome"):
        raise errors.Unavailable("the state-tracker ended the session before its welcome")
    answered: agent_service_pb2.SessionResponse = first
    return answered


def _first_pause_s(welcome: agent_service_pb2.Welcome) -> float:
    part_s = welcome.heartbeat_interval_ms / _MILLISECONDS * _FIRST_PAUSE_PART
    return min(max(_FIRST_PAUSE_S, part_s), _LONGEST_PAUSE_S)


class _Round:
    """One session after its welcome."""

    def __init__(
        self,
        host: engine.TaskEngine,
        due: asyncio.Event,
        call: Any,
        welcome: agent_service_pb2.Welcome,
        open_stream: Callable[[agent_service_pb2.StreamOrder], None],
    ) -> None:
        self._host = host
        self._due = due
        self._call = call
        self._open_stream = open_stream
        self._heartbeat_s = welcome.heartbeat_interval_ms / _MILLISECONDS
        self._lease_s = welcome.lease_ms / _MILLISECONDS
        self._ack: int | None = None
        self._unsaved: Sequence[agent_service_pb2.Assignment] = ()
        self._no_room = asyncio.Event()

    async def run(self) -> NoReturn:
        """Read and write until one of them fails.

        Not a TaskGroup: where one fails in the moment in which all are cancelled, a group raises the failure, and the agent, which was to end,
        would begin another session.
        """
        works = {"reader": self._read(), "writer": self._write(), "assignments": self._apply_again()}
        tasks = [asyncio.create_task(work, name=f"session {name}") for name, work in works.items()]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            # Several may fail of the same broken stream; the first says why.
            if not task.cancelled():
                task.result()
        raise errors.Unavailable("the session's stream was cancelled")

    async def _read(self) -> NoReturn:
        while True:
            try:
                async with asyncio.timeout(self._lease_s):
                    message = await self._call.read()
            except TimeoutError as error:
                raise errors.Unavailable(f"nothing heard of the state-tracker for {self._lease_s:.1f} s") from error
            if message is grpc.aio.EOF:
                raise errors.Unavailable("the state-tracker ended the session")
            await self.take(message)

    async def take(self, message: agent_service_pb2.SessionResponse) -> None:
        """Act on a message of the tracker."""
        if message.HasField("report_ack"):
            self._host.confirm(self._host.reports.acknowledge(message.report_ack.number))
            self._due.set()
        if message.assignments:
            await self._apply(message.assignments)
        for order in message.stream_orders:
            self._open_stream(order)

    async def _apply(self, received: Sequence[agent_service_pb2.Assignment]) -> bool:
        """Take assignments in; where the disk has no room for them, leave them to be tried again."""
        try:
            self._ack = await self._host.apply(received)
        except stored.StateFileError as error:
            _log.error("assignment_not_saved", error=str(error))
            self._unsaved = received
            self._no_room.set()
            return False
        self._due.set()
        return True

    async def _apply_again(self) -> NoReturn:
        """What the disk had no room for, until it has: a new session would bring the same, and find it as full.

        Nothing else comes meanwhile, since nothing is acknowledged; streams and acknowledgements of reports do.
        """
        pauses = backoff.Backoff(first=_SAVE_FIRST_PAUSE_S, cap=_SAVE_LONGEST_PAUSE_S)
        while True:
            await self._no_room.wait()
            await pauses.sleep()
            if await self._apply(self._unsaved):
                self._no_room.clear()
                pauses.reset()

    async def _write(self) -> NoReturn:
        while True:
            self._due.clear()
            message = agent_service_pb2.SessionRequest()
            if self._ack is not None:
                message.assignment_ack.revision = self._ack
                self._ack = None
            report = self._host.reports.next(self._host.observe)
            if report is not None:
                message.report.CopyFrom(report)
            # They wait for whatever is sent next, at most a heartbeat interval: a message of their own would be one too many.
            statistics = self._host.fresh_statistics()
            if statistics is not None:
                message.statistics.CopyFrom(statistics)
            try:
                async with asyncio.timeout(self._lease_s):
                    await self._call.write(message)
            except TimeoutError as error:
                raise errors.Unavailable(f"nothing could be sent for {self._lease_s:.1f} s") from error
            await self._until_due()

    async def _until_due(self) -> None:
        """Wait until there is something to send, no longer than a heartbeat interval."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._heartbeat_s
        while self._ack is None and not self._host.reports.due:
            left = until - loop.time()
            if left <= 0:
                return
            await loops.sleep_until_event(self._due, left)
            self._due.clear()
