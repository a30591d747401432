"""`longshore instance`: list, describe, drain, activate, deregister."""

from collections.abc import Sequence
from typing import Annotated

import typer

from longshore.cli import arguments, connection, draining, output
from longshore.client import client as clients
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2

app = typer.Typer(no_args_is_help=True, help="Container instances: the hosts of a cluster.")

Instances = Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="Ids or ARNs of container instances.")]
COLUMNS = ["INSTANCE", "STATUS", "AGENT", "RUNNING", "PENDING", "CPU FREE", "MEMORY FREE", "REGISTERED"]

CHANGED_AT_ONCE = 10
"""Most instances that one UpdateContainerInstancesState takes."""


@app.command("list")
def list_instances(
    context: typer.Context,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    *,
    quiet: arguments.Quiet = False,
) -> None:
    """List a cluster's container instances, with what is free on each."""
    as_json = connection.options(context).as_json

    async def work(client: clients.Client) -> tuple[list[str], list[container_instance_pb2.ContainerInstance]]:
        request = state_tracker_service_pb2.ListContainerInstancesRequest(cluster=cluster)
        pages = client.pages(client.state_tracker.ListContainerInstances, request)
        arns = [arn async for page in pages for arn in page.container_instance_arns]
        return arns, [] if as_json or quiet else list((await describe_all(client, cluster, arns)).container_instances)

    arns, found = connection.run(context, work)
    if as_json:
        output.print_json({"containerInstanceArns": arns})
    elif quiet:
        output.print_ids(arns)
    else:
        _print(found, f"Cluster {cluster} has no container instances. Join a host with `longshore agent`.")


@app.command()
def describe(
    context: typer.Context, instances: Instances, cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER
) -> None:
    """Describe container instances: resources, attributes, versions."""
    answer = connection.run(context, lambda client: describe_all(client, cluster, instances))
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        for instance in answer.container_instances:
            _print_one(instance)
    arguments.fail_on(answer.failures)


@app.command()
def drain(
    context: typer.Context,
    instances: Instances,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Return when nothing runs on them any more.")] = False,
) -> None:
    """Place nothing new on container instances; what runs goes on."""
    answer = _set_state(context, cluster, instances, container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING)
    arns = [instance.container_instance_arn for instance in answer.container_instances]
    if wait and arns:
        connection.run(context, lambda client: draining.until_empty(client, cluster, arns, describe_all))
    arguments.fail_on(answer.failures)


@app.command()
def activate(
    context: typer.Context, instances: Instances, cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER
) -> None:
    """End the draining of container instances."""
    answer = _set_state(context, cluster, instances, container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE)
    arguments.fail_on(answer.failures)


@app.command()
def deregister(
    context: typer.Context,
    instance: Annotated[str, typer.Argument(help="Id or ARN of the container instance.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also while tasks run: they are given up and stopped.")
    ] = False,
) -> None:
    """Take a container instance out of its cluster."""
    request = state_tracker_service_pb2.DeregisterContainerInstanceRequest(
        cluster=cluster, container_instance=instance, force=force
    )
    answer = connection.run(
        context, lambda client: client.call(client.state_tracker.DeregisterContainerInstance, request)
    )
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        _print([answer.container_instance])


def _set_state(
    context: typer.Context,
    cluster: str,
    instances: list[str],
    status: "container_instance_pb2.ContainerInstanceStatus.ValueType",
) -> state_tracker_service_pb2.UpdateContainerInstancesStateResponse:
    as_json = connection.options(context).as_json

    async def work(client: clients.Client) -> state_tracker_service_pb2.UpdateContainerInstancesStateResponse:
        request = state_tracker_service_pb2.UpdateContainerInstancesStateRequest(cluster=cluster, status=status)
        method = client.state_tracker.UpdateContainerInstancesState
        return await client.whole(method, request, "container_instances", instances, at_once=CHANGED_AT_ONCE)

    answer = connection.run(context, work)
    if as_json:
        output.print_json(answer)
    else:
        _print(answer.container_instances, "No instance was changed.")
    return answer


async def describe_all(
    client: clients.Client, cluster: str, instances: Sequence[str]
) -> state_tracker_service_pb2.DescribeContainerInstancesResponse:
    """Describe any number of instances, tags included."""
    request = state_tracker_service_pb2.DescribeContainerInstancesRequest(
        cluster=cluster, include=[state_tracker_service_pb2.CONTAINER_INSTANCE_FIELD_TAGS]
    )
    if not instances:
        return state_tracker_service_pb2.DescribeContainerInstancesResponse()
    method = client.state_tracker.DescribeContainerInstances
    return await client.whole(method, request, "container_instances", instances)


def amount(instance: container_instance_pb2.ContainerInstance, name: str, *, registered: bool = False) -> int:
    """A countable resource of an instance: what is free, or what it registered."""
    resources = instance.registered_resources if registered else instance.remaining_resources
    return next((resource.integer_value for resource in resources if resource.name == name), 0)


def _print(found: Sequence[container_instance_pb2.ContainerInstance], empty: str = "") -> None:
    rows = [
        (
            output.short(instance.container_instance_arn),
            arguments.spelled(container_instance_pb2.ContainerInstanceStatus, instance.status),
            "connected" if instance.agent_connected else "away",
            instance.running_tasks_count,
            instance.pending_tasks_count,
            f"{amount(instance, 'CPU')}/{amount(instance, 'CPU', registered=True)}",
            f"{amount(instance, 'MEMORY')}/{amount(instance, 'MEMORY', registered=True)} MiB",
            output.when(instance.registered_at),
        )
        for instance in found
    ]
    output.print_table(COLUMNS, rows, empty=empty)


def _print_one(instance: container_instance_pb2.ContainerInstance) -> None:
    _print([instance])
    ports: Sequence[str] = next((r.string_set_value for r in instance.remaining_resources if r.name == "PORTS"), [])
    output.print_fields(
        [
            ("ARN", instance.container_instance_arn),
            ("Agent", instance.version_info.agent_version),
            ("Docker", instance.version_info.docker_version.removeprefix("DockerVersion: ")),
            ("Ports in use", ", ".join(sorted(ports, key=int))),
            ("Attributes", _attributes(instance)),
            ("Tags", ", ".join(f"{tag.key}={tag.value}" for tag in instance.tags)),
            ("Version", instance.version),
        ]
    )


def _attributes(instance: container_instance_pb2.ContainerInstance) -> str:
    """Attributes one below the other; those without a value are capabilities."""
    named = sorted((attribute.name, attribute.value) for attribute in instance.attributes)
    return "\n".join(f"{name} = {value}" if value else name for name, value in named)
