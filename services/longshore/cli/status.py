"""`longshore status`: is everything there, who leads, what runs."""

import asyncio
import time
from dataclasses import dataclass

import typer

from longshore.cli import connection, output
from longshore.client import client as clients
from longshore.rpc import probe
from longshore.v1 import registry_service_pb2, scheduler_service_pb2

PROBE_TIMEOUT_S = 2.0
"""A component that does not answer its health check in this time is shown as away."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One replica's answer to a health check."""

    component: str
    address: str
    state: str
    milliseconds: float


def status(context: typer.Context) -> None:
    """Show each component's health, each cluster's leader and counts. Exits with 1 where something is away."""

    async def work(client: clients.Client) -> bool:
        wanted = [
            (component, address)
            for component, addresses in (
                ("registry", client.addresses.registry),
                ("scheduler", client.addresses.scheduler),
                ("state-tracker", client.addresses.state_tracker),
            )
            for address in addresses
        ]
        probes = await asyncio.gather(*(_probe(component, address) for component, address in wanted))
        healthy = all(probe.state == "SERVING" for probe in probes)
        body: dict[str, object] = {
            "components": [
                {
                    "component": p.component,
                    "address": p.address,
                    "state": p.state,
                    "milliseconds": round(p.milliseconds, 1),
                }
                for p in probes
            ]
        }
        as_json = connection.options(context).format is output.Format.JSON
        if not as_json:
            rows = [(p.component, p.address, p.state, f"{p.milliseconds:.1f} ms") for p in probes]
            output.print_table(["COMPONENT", "ADDRESS", "STATE", "ANSWERED IN"], rows, empty="")
        if healthy:
            body["clusters"] = await _clusters(client, as_json=as_json)
        if as_json:
            output.print_json(body)
        return healthy

    if not connection.run(context, work):
        raise typer.Exit(connection.FAILED)


async def _probe(component: str, address: str) -> Probe:
    began = time.monotonic()
    state = await probe.check(address, timeout_s=PROBE_TIMEOUT_S)
    return Probe(component, address, state, (time.monotonic() - began) * 1000)


async def _clusters(client: clients.Client, *, as_json: bool) -> list[dict[str, object]]:
    listing = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    arns = [arn async for page in listing for arn in page.cluster_arns]
    if not arns:
        return []
    describe = registry_service_pb2.DescribeClustersRequest(clusters=arns[:100])
    found = (await client.call(client.registry.DescribeClusters, describe)).clusters
    leaders = await client.call(client.scheduler.DescribeLeaders, scheduler_service_pb2.DescribeLeadersRequest())
    by_cluster = {leader.cluster: leader for leader in leaders.leaders if not leader.expired}
    body: list[dict[str, object]] = []
    for cluster in found:
        leader = by_cluster.get(cluster.cluster_name)
        body.append(
            {
                "cluster": cluster.cluster_name,
                "instances": cluster.registered_container_instances_count,
                "runningTasks": cluster.running_tasks_count,
                "pendingTasks": cluster.pending_tasks_count,
                "leader": leader.address if leader else "",
                "epoch": leader.epoch if leader else 0,
            }
        )
    if not as_json:
        columns = ["CLUSTER", "INSTANCES", "RUNNING", "PENDING", "LEADER", "EPOCH"]
        output.print_table(columns, [tuple(row.values()) for row in body], empty="")
    return body
