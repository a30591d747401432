"""The state-tracker's lifespan, for its own process and for the embedded one."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import grpc

from longshore.events import lag, standing
from longshore.events.bus import Bus
from longshore.metrics import exposition, rpcs
from longshore.rpc import errors, loops, server
from longshore.state_tracker import (
    admission,
    attributes,
    balance,
    disconnections,
    endpoints,
    feeds,
    forwarding,
    giving_up,
    held,
    host_streams,
    instance_changes,
    instance_queries,
    liveness,
    log_reading,
    metrics,
    openings,
    own_standing,
    readings,
    recorder,
    registration,
    retention,
    rings,
    scope,
    servicer,
    session_server,
    statistics_queries,
    submitting,
    task_queries,
    tracker_lease,
    watch,
)
from longshore.state_tracker.config import Config
from longshore.storage.database import Database
from longshore.v1 import state_tracker_service_pb2, state_tracker_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class _Core:
    """What the parts of one tracker share."""

    config: Config
    database: Database
    bus: Bus
    supervisor: loops.Supervisor
    draining: asyncio.Event
    measured: metrics.Metrics
    leases: liveness.Leases
    continuity: liveness.Continuity
    holding: held.Held
    ringing: rings.Rings
    following: feeds.Feeds
    scopes: scope.Scopes
    found_at: endpoints.Endpoints
    streams: host_streams.HostStreams
    forwarder: forwarding.Forwarder
    tracker_id: str


@asynccontextmanager
async def serve(
    config: Config, *, database: Database, bus: Bus, shown: exposition.Sources | None = None
) -> AsyncIterator[server.Serving]:
    """Serve until the block ends, with its measurements among those `shown`; then streams end first, and the lease is given back last."""
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(loops.supervised())
        core = _core(config, database, bus, supervisor)
        if shown is not None:
            shown.add(core.measured)
        lease = tracker_lease.TrackerLease(
            database,
            tracker_id=core.tracker_id,
            address=config.advertise or config.listen,
            leases=core.leases,
            lease_s=config.agent_lease,
            continuity=core.continuity,
        )
        # Before the first session: whoever holds one is in the table.
        await lease.renew()
        stack.push_async_callback(lease.resign)
        stack.push_async_callback(core.forwarder.close)
        registrations = (_tracker_service(core), _agent_service(core, lease))
        serving = await stack.enter_async_context(
            server.serving(
                config,
                registrations,
                supervisor=supervisor,
                draining=core.draining,
                observe=rpcs.of("state-tracker", shown).observe,
                standing=standing.of(database, bus),
            )
        )
        address = config.advertise or serving.address
        core.found_at.announce(address)
        await lease.announce(address)
        _start_loops(core, lease)
        yield serving


def _core(config: Config, database: Database, bus: Bus, supervisor: loops.Supervisor) -> _Core:
    measured = metrics.Metrics()
    holding = held.Held(measured)
    ringing = rings.Rings()
    rng = random.SystemRandom()
    scopes = scope.Scopes(database, config.account, any_region=config.any_region)
    draining = asyncio.Event()
    return _Core(
        config=config,
        database=database,
        bus=bus,
        supervisor=supervisor,
        draining=draining,
        measured=measured,
        leases=liveness.Leases(),
        continuity=liveness.Continuity(),
        holding=holding,
        ringing=ringing,
        following=feeds.Feeds(database, bus, supervisor, (holding, ringing)),
        scopes=scopes,
        found_at=endpoints.Endpoints(scopes, secure=bool(config.tls)),
        # An agent has found this tracker once already; only where several stand behind one address it has to be told which.
        streams=host_streams.HostStreams(database, measured, address=config.advertise or ""),
        forwarder=forwarding.Forwarder(config.tls, draining=draining),
        tracker_id=f"{rng.getrandbits(128):032x}",
    )


def _tracker_service(core: _Core) -> server.Registration:
    scopes = core.scopes
    changing = instance_changes.InstanceChanges(core.database, core.bus)
    implementation = servicer.Servicer(
        scopes=scopes,
        registering=registration.Registration(core.database, core.bus, scopes),
        changing=changing,
        attributed=attributes.AttributeChanges(changing, scopes),
        instances=instance_queries.InstanceQueries(core.database, scopes, release=metadata.version("longshore")),
        tasks=task_queries.TaskQueries(core.database, scopes),
        submitted=submitting.Submissions(core.database, core.bus, core.supervisor, core.measured, scopes=scopes),
        found_at=core.found_at,
        watches=watch.Watches(
            core.database,
            scopes=scopes,
            following=core.following,
            ringing=core.ringing,
            measured=core.measured,
            draining=core.draining,
        ),
        logs=log_reading.LogReading(
            core.database,
            scopes=scopes,
            holding=core.holding,
            streams=core.streams,
            forwarder=core.forwarder,
            tracker_id=core.tracker_id,
        ),
        measured=statistics_queries.StatisticsQueries(
            core.database, scopes, core.holding, core.forwarder, tracker_id=core.tracker_id
        ),
        standing=own_standing.OwnStanding(core.database, core.holding, core.following, tracker_id=core.tracker_id),
    )
    add = server.servicer(state_tracker_service_pb2_grpc.add_StateTrackerServiceServicer_to_server, implementation)
    return lambda registrar: add(_StreamsAsBytes(registrar, implementation))


class _StreamsAsBytes:
    """Stands between the generated registration and the server, and puts our own streams in, which answer bytes."""

    def __init__(self, registrar: server.Registrar, implementation: servicer.Servicer) -> None:
        self._registrar = registrar
        self._own: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "WatchEvents": grpc.unary_stream_rpc_method_handler(
                implementation.WatchEvents, request_deserializer=state_tracker_service_pb2.WatchEventsRequest.FromString
            ),
            "ReadLogs": grpc.unary_stream_rpc_method_handler(
                implementation.ReadLogs, request_deserializer=state_tracker_service_pb2.ReadLogsRequest.FromString
            ),
        }

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[Any]) -> None:
        """Left to `add_registered_method_handlers`, which has every method."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Register all methods, with the one exchanged."""
        server.handlers(service_name, {**method_handlers, **self._own})(self._registrar)


def _agent_service(core: _Core, lease: tracker_lease.TrackerLease) -> server.Registration:
    doors = openings.Openings(
        core.database,
        core.bus,
        core.supervisor,
        core.measured,
        leases=core.leases,
        base=liveness.Terms(core.config.agent_heartbeat, core.config.agent_lease),
        doubt=lease.doubt,
        tracker_id=core.tracker_id,
    )
    sessions = session_server.SessionServer(
        doors=doors,
        reader=readings.Readings(core.database, core.supervisor, core.measured),
        records=recorder.Recorder(core.database, core.bus, core.supervisor, core.measured),
        holding=core.holding,
        leases=core.leases,
        following=core.following,
        streams=core.streams,
        draining=core.draining,
        door=admission.Admission(core.config.agent_openings),
        measured=core.measured,
    )
    return server.handlers(session_server.SERVICE, sessions.handlers())


def _start_loops(core: _Core, lease: tracker_lease.TrackerLease) -> None:
    config, supervisor = core.config, core.supervisor
    watching = disconnections.Disconnections(
        core.database,
        core.bus,
        supervisor,
        core.measured,
        leases=core.leases,
        holding=core.holding,
        lease_s=config.agent_lease,
        tracker_id=core.tracker_id,
    )
    lost = giving_up.GivingUp(
        core.database, core.bus, core.measured, give_up_s=config.agent_give_up, continuity=core.continuity
    )
    history = retention.Retention(
        core.database,
        task_days=config.keep_tasks_days,
        max_tasks=config.keep_tasks,
        event_days=config.keep_events_days,
        max_events=config.keep_events,
        rng=random.Random(),  # noqa: S311 - spreads load
    )
    supervisor.start("tracker-lease", lease.run)
    supervisor.start("balance", balance.Balance(core.database, core.holding, core.measured).run)
    supervisor.start("disconnections", watching.run)
    supervisor.start("giving-up", lost.run)
    supervisor.start("retention", history.run)
    supervisor.start("lag", lambda: lag.run(core.database, core.following.positions, core.measured.event_lag))
    supervisor.spawn("draining", _drain(core))


async def _drain(core: _Core) -> None:
    """When the server is about to stop, let sessions and watches end themselves: they would hold it up for its whole grace."""
    await core.draining.wait()
    core.holding.end_all(session_server.draining())
    core.streams.end_all(errors.Unavailable("This state-tracker is shutting down; resume at another."))
    core.ringing.wake_all()
