"""`longshore status`: is everything there, who leads, what runs."""

import asyncio
import time
from dataclasses import dataclass

import typer

from longshore.cli import arguments, connection, exits, output
from longshore.client import client as clients
from longshore.rpc import http_probe, probe
from longshore.v1 import registry_service_pb2, scheduler_service_pb2

PROBE_TIMEOUT_S = 2.0
"""A component that does not answer its health check in this time is shown as away."""

SERVING = "SERVING"
UNREACHABLE = "UNREACHABLE"
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Probe:
    """One replica's answer to a health check."""

    component: str
    address: str
    state: str
    milliseconds: float

    def shown(self) -> dict[str, object]:
        """As a program reads it."""
        return {
            "component": self.component,
            "address": self.address,
            "state": self.state,
            "milliseconds": round(self.milliseconds, 1),
        }


def status(context: typer.Context) -> None:
    """Show each component's health, each cluster's leader and counts. Exits with 1 where something is away."""
    as_json = connection.options(context).as_json

    async def work(client: clients.Client) -> tuple[list[Probe], list[dict[str, object]]]:
        probes = await _probes(client)
        if not as_json:
            rows = [(p.component, p.address, p.state, f"{p.milliseconds:.1f} ms") for p in probes]
            output.print_table(["COMPONENT", "ADDRESS", "STATE", "ANSWERED IN"], rows)
        return probes, await _clusters(client) if _usable(probes) else []

    probes, clusters = connection.run(context, work)
    if as_json:
        output.print_json({"components": [p.shown() for p in probes], "clusters": clusters})
    elif clusters:
        output.say("")
        columns = ["CLUSTER", "INSTANCES", "RUNNING", "PENDING", "LEADER", "EPOCH"]
        output.print_table(columns, [tuple(row.values()) for row in clusters])
    if any(p.state != SERVING for p in probes):
        raise typer.Exit(exits.FAILED)


async def _probes(client: clients.Client) -> list[Probe]:
    """Every replica's answer. A gateway that nobody named, and that is not there, is none: not every deployment has one."""
    wanted = [
        (component, address)
        for component, addresses in (
            ("registry", client.addresses.registry),
            ("scheduler", client.addresses.scheduler),
            ("state-tracker", client.addresses.state_tracker),
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
    began = time.monotonic()
    state = await probe.check(address, timeout_s=PROBE_TIMEOUT_S, files=client.files)
    return Probe(component, address, state, (time.monotonic() - began) * 1000)


def _usable(probes: list[Probe]) -> bool:
    """Whether a registry and a scheduler serve, which know of the clusters."""
    return {"registry", "scheduler"} <= {p.component for p in probes if p.state == SERVING}


async def _clusters(client: clients.Client) -> list[dict[str, object]]:
    listing = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    arns = [arn async for page in listing for arn in page.cluster_arns]
    leaders = await client.call(client.scheduler.DescribeLeaders, scheduler_service_pb2.DescribeLeadersRequest())
    by_cluster = {leader.cluster: leader for leader in leaders.leaders if not leader.expired}
    shown: list[dict[str, object]] = []
    for some in arguments.chunks(arns):
        describe = registry_service_pb2.DescribeClustersRequest(clusters=some)
        for cluster in (await client.call(client.registry.DescribeClusters, describe)).clusters:
            leader = by_cluster.get(cluster.cluster_name)
            shown.append(
                {
                    "cluster": cluster.cluster_name,
                    "instances": cluster.registered_container_instances_count,
                    "runningTasks": cluster.running_tasks_count,
                    "pendingTasks": cluster.pending_tasks_count,
                    "leader": leader.address if leader else "",
                    "epoch": leader.epoch if leader else 0,
                }
            )
    return shown
