"""How the control plane stands: whether each replica of each component answers, and what it reaches."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.client import connection
from longshore.rpc import channels, errors, http_probe, probe, server
from longshore.v1 import state_tracker_service_pb2, state_tracker_service_pb2_grpc

TIMEOUT_S = 2.0
"""A component that does not answer its health check in this time is shown as away."""

Standing = state_tracker_service_pb2.DescribeStateTrackerResponse

SERVING = "SERVING"
UNKNOWN = "SERVICE_UNKNOWN"
UNREACHABLE = "UNREACHABLE"
REGISTRY = "registry"
SCHEDULER = "scheduler"
TRACKER = "state-tracker"
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Probe:
    """One replica's answer to a health check."""

    component: str
    address: str
    state: str
    milliseconds: float
    database: str = ""
    """Whether it reaches the database: a status, or empty where it has none, or is away itself."""
    events: str = ""

    @property
    def answers(self) -> bool:
        """Whether it can say what the tables hold. Without the events it can, a little later."""
        return self.state == SERVING and self.database in {SERVING, ""}

    @property
    def well(self) -> bool:
        """Whether it serves, and reaches what it stands on."""
        return self.state == SERVING and {self.database, self.events} <= {SERVING, ""}


async def probes(client: connection.Connection) -> list[Probe]:
    """Every replica's answer. A gateway that nobody named, and that is not there, is none: not every deployment has one."""
    wanted = [
        (component, address)
        for component, addresses in (
            (REGISTRY, client.addresses.registry),
            (SCHEDULER, client.addresses.scheduler),
            (TRACKER, client.addresses.state_tracker),
        )
        for address in addresses
    ]
    found = await asyncio.gather(
        *(_probe(client, component, address) for component, address in wanted),
        *(
            _probe_gateway(client, address)
            for address in client.addresses.gateway or (client.addresses.likely_gateway,)
        ),
    )
    return [
        p for p in found if p.component != GATEWAY or client.addresses.gateway or not p.state.startswith(UNREACHABLE)
    ]


async def standings(client: connection.Connection, addresses: Sequence[str]) -> dict[str, Standing]:
    """What each state-tracker says of itself, by address. One that has gone meanwhile, or is of a release that does not know the question, says nothing."""

    async def ask(address: str) -> Standing | None:
        async with channels.connect(address, files=client.files, timeout_s=TIMEOUT_S) as channel:
            stub = state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)
            with contextlib.suppress(errors.Unavailable, errors.DeadlineExceeded, errors.UnsupportedFeatureException):
                return await stub.DescribeStateTracker(state_tracker_service_pb2.DescribeStateTrackerRequest())
        return None

    answers = await asyncio.gather(*map(ask, addresses))
    return {address: answer for address, answer in zip(addresses, answers, strict=True) if answer is not None}


async def _probe_gateway(client: connection.Connection, address: str) -> Probe:
    began = time.monotonic()
    url = f"https://{address}" if client.files else f"http://{address}"
    state = await asyncio.to_thread(http_probe.check, url, timeout_s=TIMEOUT_S, files=client.files)
    return Probe(GATEWAY, address, state, (time.monotonic() - began) * 1000)


async def _probe(client: connection.Connection, component: str, address: str) -> Probe:
    """Ask for its health and for what it stands on. One of a release that does not tell is not held against it."""
    began = time.monotonic()
    state = await probe.check(address, timeout_s=TIMEOUT_S, files=client.files)
    milliseconds = (time.monotonic() - began) * 1000
    if state != SERVING:
        return Probe(component, address, state, milliseconds)
    looks = (
        probe.check(address, service=name, timeout_s=TIMEOUT_S, files=client.files)
        for name in (server.DATABASE, server.EVENTS)
    )
    reached = [found if found != UNKNOWN else "" for found in await asyncio.gather(*looks)]
    return Probe(component, address, state, milliseconds, *reached)
