"""The scheduler's lifespan, for its own process and for the embedded one."""

import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from longshore.events import lag, standing
from longshore.events.bus import Bus
from longshore.metrics import exposition, rpcs
from longshore.rpc import ids, loops, server
from longshore.scheduler import (
    claims,
    directing,
    forwarding,
    leaders,
    leadership,
    lookups,
    metrics,
    operations,
    placing,
    pruning,
    rounds,
    servicer,
)
from longshore.scheduler.config import Config
from longshore.storage import definitions
from longshore.storage.database import Database
from longshore.v1 import scheduler_service_pb2_grpc


@asynccontextmanager
async def serve(
    config: Config, *, database: Database, bus: Bus, shown: exposition.Sources | None = None
) -> AsyncIterator[server.Serving]:
    """Serve until the block ends, with its measurements among those `shown`. On the way out leadership is handed over, then the server ends, then the loops, then the lease."""
    rng = random.Random()  # noqa: S311 - placement among equals, jitter, ids: nothing secret
    bodies = definitions.Bodies()
    found = lookups.Lookups(database, bodies)
    forwarder = forwarding.Forwarder(config.tls)
    measured = metrics.Metrics()
    if shown is not None:
        shown.add(measured)
    around = rounds.Surroundings(
        database=database,
        bus=bus,
        random=rng,
        new_ids=ids.Sequence(rng),
        now_us=lambda: time.time_ns() // 1000,
        measured=measured,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(forwarder.close)
        supervisor = loops.Supervisor()
        led = leaders.Leaders(
            None,
            around,
            supervisor=supervisor,
            random=rng,
            standby_interval_s=config.standby_interval_ms / 1000,
            most_warm=config.warm_standbys,
        )
        stack.push_async_callback(led.release)
        stack.push_async_callback(supervisor.close)
        implementation = servicer.Servicer(
            operations.Operations(
                database=database,
                bodies=bodies,
                account=config.account,
                any_region=config.any_region,
                where=directing.Directing(led, forwarder),
                placer=placing.Placing(found, claims.Claims(supervisor.spawn, measured), measured),
            )
        )
        registration = server.servicer(
            scheduler_service_pb2_grpc.add_SchedulerServiceServicer_to_server, implementation
        )
        serving = await stack.enter_async_context(
            server.serving(
                config,
                (registration,),
                supervisor=supervisor,
                observe=rpcs.of("scheduler", shown).observe,
                standing=standing.of(database, bus),
            )
        )
        # First of all on the way out, while calls are still answered: those that wait are passed on to whoever leads then.
        stack.push_async_callback(led.leave)
        led.announce(_candidate(config, database, serving.address))
        supervisor.start("scheduler-lookups", found.run)
        supervisor.start("scheduler-renewals", led.renew)
        supervisor.start("scheduler-standby", led.stand_by)
        supervisor.start("scheduler-session", led.presence.hold)
        supervisor.start("scheduler-token-pruning", lambda: pruning.run(database, rng))
        supervisor.start("scheduler-lag", lambda: lag.run(database, led.positions, measured.event_lag))
        yield serving


def _candidate(config: Config, database: Database, address: str) -> leadership.Candidate:
    return leadership.Candidate(
        holder=secrets.token_hex(16),
        address=config.advertise or address,
        lease_us=config.leader_lease_ms * 1000,
        # An SQLite database is locked by the one process that has it: whoever else held a lease is dead.
        alone=database.dialect.name == "sqlite",
    )
