"""`longshore explain`: where a task would go, why not elsewhere, and what would have to change."""

from collections.abc import Sequence
from typing import Annotated

import typer

from longshore.cli import arguments, connection, exits, output, overriding, running
from longshore.client import client as clients
from longshore.client import running as definitions
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, task_definition_pb2, task_pb2

LISTED = 20
"""Instances that are shown in words unless all are asked for: the nearest ones help, the others fill the screen."""

STRATEGIES = {
    "random": task_pb2.PLACEMENT_STRATEGY_TYPE_RANDOM,
    "spread": task_pb2.PLACEMENT_STRATEGY_TYPE_SPREAD,
    "binpack": task_pb2.PLACEMENT_STRATEGY_TYPE_BINPACK,
}

Constraint = Annotated[
    list[str] | None,
    typer.Option("--constraint", metavar="EXPRESSION|distinctInstance", help="A placement constraint; several times."),
]
Strategy = Annotated[
    list[str] | None,
    typer.Option("--strategy", metavar="TYPE[:FIELD]", help="A placement strategy (spread:attribute:rack); in order."),
]


def explain(
    context: typer.Context,
    target: running.Target,
    count: Annotated[int, typer.Option(min=1, max=10, help="How many tasks.")] = 1,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    constraint: Constraint = None,
    strategy: Strategy = None,
    overrides: running.Overrides = "",
    group: running.Group = "",
    family: running.Family = None,
    *,
    every: Annotated[bool, typer.Option("--all", help=f"Every instance, not the {LISTED} nearest.")] = False,
) -> None:
    """Tell where tasks would be placed, why not elsewhere, and the smallest change that would make them fit. Nothing is placed.

    Exits with 1 where fewer tasks fit than asked for.
    """
    document = running.read(target, family)

    async def work(client: clients.Client) -> int:
        request = scheduler_service_pb2.ExplainPlacementRequest()
        if document is None:
            definition = await definitions.described(client, target)
            request.run_task.task_definition = definitions.reference(definition)
        else:
            check = registry_service_pb2.CheckTaskDefinitionRequest(registration=document.request)
            definition = (await client.call(client.registry.CheckTaskDefinition, check)).task_definition
            request.task_definition.CopyFrom(definition)
        _fill(request.run_task, definition, cluster, count, group)
        request.run_task.placement_constraints.extend(_constraint(text) for text in constraint or ())
        request.run_task.placement_strategy.extend(_strategy(text) for text in strategy or ())
        merged = overriding.merged(
            running.names(definition.container_definitions), overriding.Wish("", (), "", overrides)
        )
        if merged is not None:
            request.run_task.overrides.CopyFrom(merged)
        answer = await client.call(client.scheduler.ExplainPlacement, request)
        if connection.options(context).as_json:
            output.print_json(answer)
        else:
            _tell(answer, definition, every=every)
        return 0 if len(answer.chosen) == count else exits.FAILED

    raise typer.Exit(connection.run(context, work))


def _fill(
    request: scheduler_service_pb2.RunTaskRequest,
    definition: task_definition_pb2.TaskDefinition,
    cluster: str,
    count: int,
    group: str,
) -> None:
    request.cluster, request.count = cluster, count
    if group:
        request.group = group
    if definition.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC:
        request.network_configuration.awsvpc_configuration.subnets.append("subnet-1")


def _constraint(text: str) -> task_pb2.PlacementConstraint:
    if text == "distinctInstance":
        return task_pb2.PlacementConstraint(type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE)
    return task_pb2.PlacementConstraint(type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_MEMBER_OF, expression=text)


def _strategy(text: str) -> task_pb2.PlacementStrategy:
    kind, _, field = text.partition(":")
    if kind not in STRATEGIES:
        raise errors.InvalidParameterException(f"--strategy {text}: it begins with one of {', '.join(STRATEGIES)}.")
    return task_pb2.PlacementStrategy(type=STRATEGIES[kind], field=field)


def _tell(
    answer: scheduler_service_pb2.ExplainPlacementResponse,
    definition: task_definition_pb2.TaskDefinition,
    *,
    every: bool,
) -> None:
    output.say(answer.summary)
    output.say(f"A task of {definition.family} takes {answer.cpu} CPU units and {answer.memory} MiB of memory.")
    if answer.reasons:
        counts = ", ".join(f"{one.instances} by {one.reason}" for one in answer.reasons)
        output.say(f"Instances that do not fit: {counts}.")
    if not answer.verdicts:
        output.notice("`longshore agent` on a host joins it to the cluster.")
        return
    shown = answer.verdicts if every else answer.verdicts[:LISTED]
    output.say("")
    output.print_table(["INSTANCE", "STATUS", "FITS", "WHY NOT", "WHAT WOULD HELP"], map(_row, shown))
    if len(shown) < answer.instances:
        output.notice(f"The {len(shown)} nearest of {answer.instances} instances; --all shows the others.")


def _row(verdict: scheduler_service_pb2.PlacementVerdict) -> Sequence[object]:
    why = "; ".join(miss.detail for miss in verdict.misses)
    instance = output.short(verdict.container_instance_arn)
    return instance, verdict.status, "yes" if verdict.fits else "no", why, verdict.remedy
