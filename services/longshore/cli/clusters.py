"""`longshore cluster`: create, list, describe, delete."""

from typing import Annotated

import typer
from google.protobuf.message import Message

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.v1 import cluster_pb2, registry_service_pb2

app = typer.Typer(no_args_is_help=True, help="Clusters: groups of container instances and the tasks on them.")


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the cluster.")] = "default",
    tag: arguments.Tags = None,
) -> None:
    """Create a cluster; one that exists is answered as it is."""
    request = registry_service_pb2.CreateClusterRequest(cluster_name=name, tags=arguments.tags(tag))
    answer = connection.run(context, lambda client: client.call(client.registry.CreateCluster, request))
    _show(context, answer, [answer.cluster])


@app.command("list")
def list_clusters(context: typer.Context) -> None:
    """List the clusters."""

    async def work(client: clients.Client) -> list[str]:
        pages = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
        return [arn async for page in pages for arn in page.cluster_arns]

    arns = connection.run(context, work)
    if connection.options(context).as_json:
        output.print_json({"clusterArns": arns})
    else:
        output.print_table(
            ["CLUSTER", "ARN"], [(output.short(arn), arn) for arn in arns], empty="There are no clusters."
        )


@app.command()
def describe(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Names or ARNs; none: default.")] = None,
) -> None:
    """Describe clusters, with what is registered and running in them."""
    include = [registry_service_pb2.CLUSTER_FIELD_TAGS]
    request = registry_service_pb2.DescribeClustersRequest(clusters=names or [], include=include)
    answer = connection.run(context, lambda client: client.call(client.registry.DescribeClusters, request))
    _show(context, answer, list(answer.clusters))
    arguments.fail_on(answer.failures)


@app.command()
def delete(context: typer.Context, name: Annotated[str, typer.Argument(help="Name or ARN of the cluster.")]) -> None:
    """Delete a cluster that has no instances, tasks or services."""
    request = registry_service_pb2.DeleteClusterRequest(cluster=name)
    answer = connection.run(context, lambda client: client.call(client.registry.DeleteCluster, request))
    _show(context, answer, [answer.cluster])


def _show(context: typer.Context, answer: Message, found: list[cluster_pb2.Cluster]) -> None:
    if connection.options(context).as_json:
        output.print_json(answer)
        return
    rows = [
        (
            cluster.cluster_name,
            arguments.spelled(cluster_pb2.ClusterStatus, cluster.status),
            cluster.registered_container_instances_count,
            cluster.running_tasks_count,
            cluster.pending_tasks_count,
        )
        for cluster in found
    ]
    output.print_table(
        ["CLUSTER", "STATUS", "INSTANCES", "RUNNING", "PENDING"], rows, empty="There is no such cluster."
    )
