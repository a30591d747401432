"""`longshore task-definition`: register, list, describe, deregister, delete."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.client import documents
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2, task_definition_pb2

app = typer.Typer(no_args_is_help=True, help="Task definitions: what to run, in revisions.")

Reference = Annotated[str, typer.Argument(metavar="FAMILY[:REVISION]", help="Family, family:revision or ARN.")]


def read_document(path: str, family: str | None) -> documents.Document:
    """Read a task-definition file, `-` for standard input; end the command with the faults where it is none."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        document = documents.parse(text, family=family)
    except (OSError, UnicodeDecodeError) as error:
        output.err.print(f"Cannot read {path}: {error}", markup=False)
        raise typer.Exit(connection.FAILED) from None
    except errors.ServiceError as error:
        output.err.print(f"{path} is not a task definition.", style="bold red", markup=False)
        output.err.print(str(error), markup=False)
        raise typer.Exit(connection.FAILED) from None
    for notice in document.notices:
        output.notice(f"{path}: {notice}")
    return document


@app.command()
def register(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="An ECS task-definition JSON file; - reads standard input.")],
    family: Annotated[
        str | None, typer.Option(help="The family, where the file has none or another is wanted.")
    ] = None,
) -> None:
    """Register a task definition: the next revision of its family."""
    request = read_document(file, family).request
    answer = connection.run(context, lambda client: client.call(client.registry.RegisterTaskDefinition, request))
    if connection.options(context).format is output.Format.JSON:
        output.print_json(answer)
    else:
        definition = answer.task_definition
        output.out.print(f"Registered {definition.family}:{definition.revision}", markup=False)


@app.command("list")
def list_definitions(
    context: typer.Context,
    family: Annotated[str, typer.Option(help="Only this family.")] = "",
    *,
    inactive: Annotated[bool, typer.Option("--inactive", help="The deregistered ones instead.")] = False,
) -> None:
    """List task definitions."""
    status = (
        task_definition_pb2.TASK_DEFINITION_STATUS_INACTIVE
        if inactive
        else task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE
    )
    request = registry_service_pb2.ListTaskDefinitionsRequest(status=status)
    if family:
        request.family_prefix = family

    async def work(client: clients.Client) -> list[str]:
        return [
            arn
            async for page in client.pages(client.registry.ListTaskDefinitions, request)
            for arn in page.task_definition_arns
        ]

    arns = connection.run(context, work)
    if connection.options(context).format is output.Format.JSON:
        output.print_json({"taskDefinitionArns": arns})
    else:
        rows = [(output.short(arn), arn) for arn in arns]
        output.print_table(["TASK DEFINITION", "ARN"], rows, empty="There are no task definitions.")


@app.command()
def describe(context: typer.Context, reference: Reference) -> None:
    """Print a task definition as JSON, in ECS's shape: what `register` takes again."""
    request = registry_service_pb2.DescribeTaskDefinitionRequest(
        task_definition=reference, include=[registry_service_pb2.TASK_DEFINITION_FIELD_TAGS]
    )
    answer = connection.run(context, lambda client: client.call(client.registry.DescribeTaskDefinition, request))
    output.print_json(answer)


@app.command()
def deregister(context: typer.Context, reference: Reference) -> None:
    """Make a revision INACTIVE: what runs goes on, nothing new starts from it."""
    request = registry_service_pb2.DeregisterTaskDefinitionRequest(task_definition=reference)
    answer = connection.run(context, lambda client: client.call(client.registry.DeregisterTaskDefinition, request))
    if connection.options(context).format is output.Format.JSON:
        output.print_json(answer)
    else:
        definition = answer.task_definition
        output.out.print(f"Deregistered {definition.family}:{definition.revision}", markup=False)


@app.command()
def delete(
    context: typer.Context, references: Annotated[list[str], typer.Argument(metavar="FAMILY:REVISION...")]
) -> None:
    """Delete deregistered revisions."""
    request = registry_service_pb2.DeleteTaskDefinitionsRequest(task_definitions=references)
    answer = connection.run(context, lambda client: client.call(client.registry.DeleteTaskDefinitions, request))
    if connection.options(context).format is output.Format.JSON:
        output.print_json(answer)
    else:
        for definition in answer.task_definitions:
            status = arguments.spelled(task_definition_pb2.TaskDefinitionStatus, definition.status)
            output.out.print(f"{definition.family}:{definition.revision} {status}", markup=False)
    arguments.fail_on(answer.failures)
