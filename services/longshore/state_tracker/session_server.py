"""AgentService.Session on the wire: a reader and a writer around the session machine. Payloads pass as bytes."""

import asyncio
import time
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf import message

from longshore.rpc import errors
from longshore.state_tracker import (
    admission,
    feeds,
    held,
    host_streams,
    liveness,
    metrics,
    openings,
    readings,
    recorder,
    report_commit,
    sessions,
    statistics_rules,
)
from longshore.storage import errors as storage_errors
from longshore.v1 import agent_service_pb2

# A peer that opens a stream and says nothing.
HELLO_TIMEOUT_S = 10.0

SERVICE = "longshore.v1.AgentService"

# Bytes both ways; a read gives EOF at the end, which its types do not say.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_log = structlog.get_logger(__name__)


class SessionServer:
    """Serves the agents' streams."""

    def __init__(
        self,
        *,
        doors: openings.Openings,
        reader: readings.Readings,
        records: recorder.Recorder,
        holding: held.Held,
        leases: liveness.Leases,
        following: feeds.Feeds,
        streams: host_streams.HostStreams,
        draining: asyncio.Event,
        door: admission.Admission,
        measured: metrics.Metrics,
    ) -> None:
        self._door = door
        self._metrics = measured
        self._openings = doors
        self._readings = reader
        self._recorder = records
        self._held = holding
        self._leases = leases
        self._feeds = following
        self._streams = streams
        self._draining = draining

    def handlers(self) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
        """The service's methods, without (de)serializers: bytes in, bytes out."""
        return {
            "Session": grpc.stream_stream_rpc_method_handler(self.session),
            "Stream": grpc.stream_stream_rpc_method_handler(self._streams.serve),
        }

    async def session(self, _: Any, context: Context) -> None:
        """One session, from hello to end. How it ended is the RPC's status."""
        if self._draining.is_set():
            raise draining()
        hello = await _hello(context)
        admitted = await self._admit(hello)
        live = held.Live(
            sessions.Session(
                instance_id=hello.container_instance_id,
                process_id=hello.agent_process_id,
                epoch=admitted.opened.epoch,
                instance_version=admitted.opened.instance_version,
                # Where nobody who held a session spoke last, the agent gets a full set: it may run what was declared stopped.
                assignment_revision=hello.assignment_revision if admitted.opened.before else 0,
                assignment_lineage=hello.assignment_lineage,
            ),
            admitted.cluster,
            admitted.terms,
            may_move=hello.may_move,
        )
        # Held before the log is followed and followed before the tables are read: nothing falls between.
        self._held.add(live)
        try:
            await self._follow(live)
            try:
                _log.info("session_opened", instance_id=live.session.instance_id, epoch=live.session.epoch)
                await context.write(_welcome(admitted))
                await self._converse(live, context)
            finally:
                self._feeds.leave(live.cluster)
        finally:
            self._held.remove(live)
            _log.info(
                "session_closed",
                instance_id=live.session.instance_id,
                epoch=live.session.epoch,
                error_reason=live.session.error.reason if live.session.error else "",
            )
        if live.session.error is not None:
            raise live.session.error

    async def _admit(self, hello: agent_service_pb2.Hello) -> openings.Admitted:
        """Open a session, or say when to come again. Only once the hello is here: who says nothing takes nobody's place."""
        wait_s = self._door.enter(time.monotonic())
        if wait_s:
            self._metrics.sessions_postponed += 1
            raise busy(self._door.limit, wait_s)
        try:
            return await self._openings.open(hello)
        finally:
            self._door.leave(time.monotonic())

    async def _follow(self, live: held.Live) -> None:
        try:
            await self._feeds.join(live.cluster)
        except storage_errors.NoLog as error:
            raise errors.ServerException(str(error)) from error

    async def _converse(self, live: held.Live, context: Context) -> None:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(live, context), name=f"session:{live.session.instance_id}")
            try:
                await self._speak(live, context)
            finally:
                listening.cancel()

    async def _listen(self, live: held.Live, context: Context) -> None:
        """Take what the agent says until it says no more."""
        try:
            while not live.session.ended:
                raw = await context.read()
                if raw is grpc.aio.EOF:
                    live.end(None)
                    return
                self._leases.hear(live.session.instance_id, live.session.epoch, time.monotonic())
                if raw:  # an empty message is a heartbeat
                    self._take(live, _parsed(raw))
        except errors.ServiceError as error:
            live.end(error)
        except (grpc.aio.BaseError, asyncio.InvalidStateError):  # the stream broke; the lease runs on
            live.end(None)

    def _take(self, live: held.Live, request: agent_service_pb2.SessionRequest) -> None:
        session = live.session
        if request.HasField("hello"):
            raise errors.InvalidParameterException("A session has one hello, in its first message.")
        if request.HasField("assignment_ack"):
            session.acknowledge(request.assignment_ack.revision)
            live.wake.set()
        if request.HasField("statistics"):
            live.statistics = statistics_rules.taken(request.statistics)
        if request.HasField("report"):
            session.report(request.report)
            self._recorder.submit(
                live.cluster,
                recorder.Waiting(
                    session,
                    report_commit.Reported(session.instance_id, session.epoch, session.process_id, request.report),
                    time.monotonic(),
                    live.wake.set,
                ),
            )

    async def _speak(self, live: held.Live, context: Context) -> None:
        """Send what the session has to say, and at least something in every heartbeat interval, until it ends."""
        session = live.session
        try:
            while not session.ended:
                live.wake.clear()
                if session.needs_reading:
                    self._readings.request(live)
                outgoing = session.outgoing()
                if outgoing is None and not await _woken(live):
                    outgoing = b""
                if outgoing is not None and not session.ended:
                    async with asyncio.timeout(live.terms.lease_s):
                        await context.write(outgoing)
        except TimeoutError:
            live.end(errors.Unavailable("The agent does not read what it is sent."))
        except (grpc.aio.BaseError, asyncio.InvalidStateError):
            live.end(None)


def draining() -> errors.ServiceError:
    """What a session is told when its tracker leaves."""
    return errors.Unavailable("This state-tracker is shutting down; begin another session.")


def busy(limit: int, wait_s: float) -> errors.ServiceError:
    """What an agent is told that finds the door full."""
    message = f"{limit} sessions are being opened by this state-tracker; come again in {wait_s:.1f} s."
    return errors.ResourceExhausted(message, **{errors.RETRY_AFTER_MS: round(wait_s * 1000)})


def silent(instance_id: str, silent_s: float) -> errors.ServiceError:
    """What a session is told that was not heard for its lease."""
    return errors.Unavailable(f"Nothing was heard of container instance {instance_id} for {silent_s:.1f} s.")


async def _woken(live: held.Live) -> bool:
    """Wait until there is something to do; False after a heartbeat interval without."""
    try:
        async with asyncio.timeout(live.terms.heartbeat_s):
            await live.wake.wait()
    except TimeoutError:
        return False
    return True


async def _hello(context: Context) -> agent_service_pb2.Hello:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            raw = await context.read()
    except TimeoutError:
        raise errors.InvalidParameterException(f"No hello came within {HELLO_TIMEOUT_S:g} s.") from None
    request = agent_service_pb2.SessionRequest() if raw is grpc.aio.EOF else _parsed(raw)
    hello = request.hello
    if not (request.HasField("hello") and hello.container_instance_id and hello.agent_process_id):
        raise errors.InvalidParameterException(
            "The first message of a session has a hello that names the container instance and the agent's process."
        )
    if "\0" in hello.container_instance_id + hello.agent_process_id:
        raise errors.InvalidParameterException("An id contains the character NUL.")
    if hello.assignment_revision < 0:
        raise errors.InvalidParameterException(f"An assignment has no revision {hello.assignment_revision}.")
    return hello


def _parsed(raw: bytes) -> agent_service_pb2.SessionRequest:
    try:
        return agent_service_pb2.SessionRequest.FromString(raw)
    except message.DecodeError:
        raise errors.InvalidParameterException("The message is not a SessionRequest.") from None


def _welcome(admitted: openings.Admitted) -> bytes:
    welcome = agent_service_pb2.Welcome(
        session_epoch=admitted.opened.epoch,
        recorded_report=admitted.opened.recorded_report,
        heartbeat_interval_ms=round(admitted.terms.heartbeat_s * 1000),
        lease_ms=round(admitted.terms.lease_s * 1000),
    )
    return agent_service_pb2.SessionResponse(welcome=welcome).SerializeToString()
