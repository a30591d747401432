"""`longshore status`: is everything there, who leads, what runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import typer

from longshore.cli import connection, exits, output
from longshore.client import client as clients
from longshore.client import probing
from longshore.v1 import scheduler_service_pb2


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

    async def work(client: clients.Client) -> tuple[list[probing.Probe], Clusters]:
        probes = await probing.probes(client)
        if not as_json:
            rows = [(p.component, p.address, p.state, f"{p.milliseconds:.1f} ms", p.database, p.events) for p in probes]
            output.print_table(["COMPONENT", "ADDRESS", "STATE", "ANSWERED IN", "DATABASE", "EVENTS"], rows)
        if not _usable(probes):
            return probes, Clusters()
        standings = await probing.standings(
            client, [p.address for p in probes if p.component == probing.TRACKER and p.answers]
        )
        return probes, Clusters(await _clusters(client, standings), _trackers(standings))

    probes, found = connection.run(context, work)
    if as_json:
        components = [shown(p) for p in probes]
        output.print_json({"components": components, "clusters": found.clusters, "stateTrackers": found.trackers})
    else:
        _print(found)
    if not all(p.well for p in probes):
        raise typer.Exit(exits.FAILED)


def _print(found: Clusters) -> None:
    """The tables of what there is."""
    if found.clusters:
        output.say("")
        columns = ["CLUSTER", "INSTANCES", "CONNECTED", "RUNNING", "PENDING", "WAITING", "LEADER", "EPOCH"]
        # How long a log is says little to a person; a program that compares wants it.
        rows = [tuple(value for name, value in row.items() if name != "events") for row in found.clusters]
        output.print_table(columns, rows)
    if found.trackers:
        output.say("")
        columns = ["STATE-TRACKER", "CLUSTER", "SESSIONS", "EVENTS BEHIND"]
        shown = ("address", "cluster", "sessions", "lag")
        output.print_table(columns, [tuple(row[name] for name in shown) for row in found.trackers])


def shown(probe: probing.Probe) -> dict[str, object]:
    """A replica's answer as a program reads it."""
    return {
        "component": probe.component,
        "address": probe.address,
        "state": probe.state,
        "milliseconds": round(probe.milliseconds, 1),
        "database": probe.database,
        "events": probe.events,
    }


def _trackers(standings: Mapping[str, probing.Standing]) -> list[dict[str, object]]:
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


def _usable(probes: list[probing.Probe]) -> bool:
    """Whether a registry and a scheduler answer, which know of the clusters."""
    return {probing.REGISTRY, probing.SCHEDULER} <= {p.component for p in probes if p.answers}


async def _clusters(client: clients.Client, standings: Mapping[str, probing.Standing]) -> list[dict[str, object]]:
    leaders = await client.call(client.scheduler.DescribeLeaders, scheduler_service_pb2.DescribeLeadersRequest())
    waits = {leader.cluster: leader.waiting_tasks for leader in leaders.leaders}
    by_cluster = {leader.cluster: leader for leader in leaders.leaders if not leader.expired}
    followed = {found.cluster: found for standing in standings.values() for found in standing.clusters}
    shown: list[dict[str, object]] = []
    async for cluster in client.clusters():
        leader = by_cluster.get(cluster.cluster_name)
        seen = followed.get(cluster.cluster_name)
        shown.append(
            {
                "cluster": cluster.cluster_name,
                "instances": cluster.registered_container_instances_count,
                "connectedInstances": seen.connected_instances if seen else None,
                "runningTasks": cluster.running_tasks_count,
                "pendingTasks": cluster.pending_tasks_count,
                "waitingTasks": waits.get(cluster.cluster_name, 0),
                "leader": leader.address if leader else "",
                "epoch": leader.epoch if leader else 0,
                "events": seen.log_head if seen else None,
            }
        )
    return shown
