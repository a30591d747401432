"""`longshore status`: is everything there, who leads, what runs."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import typer

from longshore.cli import arguments, connection, exits, output
from longshore.client import client as clients
from longshore.rpc import channels, errors, http_probe, probe, server
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

PROBE_TIMEOUT_S = 2.0
"""A component that does not answer its health check in this time is shown as away."""

Standing = state_tracker_service_pb2.DescribeStateTrackerResponse

SERVING = "SERVING"
UNKNOWN = "SERVICE_UNKNOWN"
UNREACHABLE = "UNREACHABLE"
GATEWAY = "gateway"
TRACKER = "state-tracker"


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

    def shown(self) -> dict[str, object]:
        """As a program reads it."""
        return {
            "component": self.component,
            "address": self.address,
            "state": self.state,
            "milliseconds": round(self.milliseconds, 1),
            "database": self.database,
            "events": self.events,
        }

    @property
    def answers(self) -> bool:
        """Whether it can say what the tables hold. Without the events it can, a little later."""
        return self.state == SERVING and self.database in {SERVING, ""}

    @property
    def well(self) -> bool:
        """Whether it serves, and reaches what it stands on."""
        return self.state == SERVING and {self.database, self.events} <= {SERVING, ""}


@dataclass(frozen=True, slots=True)
class Clusters:
    """What is known of the clusters, as tables have it."""

    clusters: list[dict[str, object]] = field(default_factory=list)
    trackers: list[dict[str, object]] = field(default_factory=list)
    """How each state-tracker stands in each cluster that it has to do with."""


def status(context: typer.Context) -> None:
    """Show each component's health and what it reaches, each cluster's leader and counts, and how far each state-tracker is.

    Exits with 1 where something is away.
    """
    as_json = connection.options(context).as_json

    async def work(client: clients.Client) -> tuple[list[Probe], Clusters]:
        probes = await _probes(client)
        if not as_json:
            rows = [(p.component, p.address, p.state, f"{p.milliseconds:.1f} ms", p.database, p.events) for p in probes]
            output.print_table(["COMPONENT", "ADDRESS", "STATE", "ANSWERED IN", "DATABASE", "EVENTS"], rows)
        if not _usable(probes):
            return probes, Clusters()
        standings = await _standings(client, [p.address for p in probes if p.component == TRACKER and p.answers])
        return probes, Clusters(await _clusters(client, standings), _trackers(standings))

    probes, found = connection.run(context, work)
    if as_json:
        components = [p.shown() for p in probes]
        output.print_json({"components": components, "clusters": found.clusters, "stateTrackers": found.trackers})
    else:
        _print(found)
    if not all(p.well for p in probes):
        raise typer.Exit(exits.FAILED)


def _print(found: Clusters) -> None:
    """The tables of what there is."""
    if found.clusters:
        output.say("")
        columns = ["CLUSTER", "INSTANCES", "CONNECTED", "RUNNING", "PENDING", "LEADER", "EPOCH"]
        # How long a log is says little to a person; a program that compares wants it.
        rows = [tuple(value for name, value in row.items() if name != "events") for row in found.clusters]
        output.print_table(columns, rows)
    if found.trackers:
        output.say("")
        columns = ["STATE-TRACKER", "CLUSTER", "SESSIONS", "EVENTS BEHIND"]
        shown = ("address", "cluster", "sessions", "lag")
        output.print_table(columns, [tuple(row[name] for name in shown) for row in found.trackers])


async def _probes(client: clients.Client) -> list[Probe]:
    """Every replica's answer. A gateway that nobody named, and that is not there, is none: not every deployment has one."""
    wanted = [
        (component, address)
        for component, addresses in (
            ("registry", client.addresses.registry),
            ("scheduler", client.addresses.scheduler),
            (TRACKER, client.addresses.state_tracker),
        )
        for address in addresses
    ]
    probes = await asyncio.gather(
        *(_probe(client, component, address) for component, address in wanted),
        *(
            _probe_gateway(client, address)
            for address in client.addresses.gateway or (client.addresses.likely_gateway,)
        ),
    )
    return [
        p for p in probes if p.component != GATEWAY or client.addresses.gateway or not p.state.startswith(UNREACHABLE)
    ]


async def _probe_gateway(client: clients.Client, address: str) -> Probe:
    began = time.monotonic()
    url = f"https://{address}" if client.files else f"http://{address}"
    state = await asyncio.to_thread(http_probe.check, url, timeout_s=PROBE_TIMEOUT_S, files=client.files)
    return Probe(GATEWAY, address, state, (time.monotonic() - began) * 1000)


async def _probe(client: clients.Client, component: str, address: str) -> Probe:
    """Ask for its health and for what it stands on. One of a release that does not tell is not held against it."""
    began = time.monotonic()
    state = await probe.check(address, timeout_s=PROBE_TIMEOUT_S, files=client.files)
    milliseconds = (time.monotonic() - began) * 1000
    if state != SERVING:
        return Probe(component, address, state, milliseconds)
    looks = (
        probe.check(address, service=name, timeout_s=PROBE_TIMEOUT_S, files=client.files)
        for name in (server.DATABASE, server.EVENTS)
    )
    reached = [found if found != UNKNOWN else "" for found in await asyncio.gather(*looks)]
    return Probe(component, address, state, milliseconds, *reached)


async def _standings(client: clients.Client, addresses: list[str]) -> dict[str, Standing]:
    """What each state-tracker says of itself, by address. One that has gone meanwhile, or is of a release that does not know the question, says nothing."""

    async def ask(address: str) -> Standing | None:
        async with channels.connect(address, files=client.files, timeout_s=PROBE_TIMEOUT_S) as channel:
            stub = state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)
            with contextlib.suppress(errors.Unavailable, errors.DeadlineExceeded, errors.UnsupportedFeatureException):
                return await stub.DescribeStateTracker(state_tracker_service_pb2.DescribeStateTrackerRequest())
        return None

    answers = await asyncio.gather(*map(ask, addresses))
    return {address: answer for address, answer in zip(addresses, answers, strict=True) if answer is not None}


def _trackers(standings: Mapping[str, Standing]) -> list[dict[str, object]]:
    return [
        {
            "address": address,
            "cluster": followed.cluster,
            "sessions": followed.sessions,
            "position": followed.position,
            "lag": max(0, followed.log_head - followed.position),
        }
        for address, standing in standings.items()
        for followed in standing.clusters
        if followed.HasField("position")
    ]


def _usable(probes: list[Probe]) -> bool:
    """Whether a registry and a scheduler answer, which know of the clusters."""
    return {"registry", "scheduler"} <= {p.component for p in probes if p.answers}


async def _clusters(client: clients.Client, standings: Mapping[str, Standing]) -> list[dict[str, object]]:
    listing = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    arns = [arn async for page in listing for arn in page.cluster_arns]
    leaders = await client.call(client.scheduler.DescribeLeaders, scheduler_service_pb2.DescribeLeadersRequest())
    by_cluster = {leader.cluster: leader for leader in leaders.leaders if not leader.expired}
    followed = {found.cluster: found for standing in standings.values() for found in standing.clusters}
    shown: list[dict[str, object]] = []
    for some in arguments.chunks(arns):
        describe = registry_service_pb2.DescribeClustersRequest(clusters=some)
        for cluster in (await client.call(client.registry.DescribeClusters, describe)).clusters:
            leader = by_cluster.get(cluster.cluster_name)
            seen = followed.get(cluster.cluster_name)
            shown.append(
                {
                    "cluster": cluster.cluster_name,
                    "instances": cluster.registered_container_instances_count,
                    "connectedInstances": seen.connected_instances if seen else None,
                    "runningTasks": cluster.running_tasks_count,
                    "pendingTasks": cluster.pending_tasks_count,
                    "leader": leader.address if leader else "",
                    "epoch": leader.epoch if leader else 0,
                    "events": seen.log_head if seen else None,
                }
            )
    return shown
