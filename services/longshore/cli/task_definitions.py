"""`longshore task-definition`: register, list, describe, deregister, delete."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from longshore.cli import arguments, connection, exits, output
from longshore.client import client as clients
from longshore.client import documents
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2, task_definition_pb2

Containers = Iterable[task_definition_pb2.ContainerDefinition]

app = typer.Typer(no_args_is_help=True, help="Task definitions: what to run, in revisions.")

Reference = Annotated[str, typer.Argument(metavar="FAMILY[:REVISION]", help="Family, family:revision or ARN.")]


def read_document(path: str, family: str | None) -> documents.Document:
    """Read a task-definition file, `-` for standard input; end the command with the faults where it is none."""
    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        document = documents.parse(text, family=family)
    except OSError as error:
        output.err.print(f"Cannot read {name}: {error.strerror}.", markup=False)
    except UnicodeDecodeError:
        output.err.print(f"Cannot read {name}: it is not text in UTF-8.", markup=False)
    except errors.ServiceError as error:
        output.err.print(f"{name} is not a task definition:", style="bold red", markup=False)
        output.err.print(error.message, markup=False)
    else:
        if document.notice:
            output.notice(f"{name}: {document.notice}")
        return document
    raise typer.Exit(exits.FAILED)


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
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        definition = answer.task_definition
        output.say(f"Registered {definition.family}:{definition.revision}")


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
    if connection.options(context).as_json:
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
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        definition = answer.task_definition
        output.say(f"Deregistered {definition.family}:{definition.revision}")


@app.command()
def delete(
    context: typer.Context, references: Annotated[list[str], typer.Argument(metavar="FAMILY:REVISION...")]
) -> None:
    """Delete deregistered revisions."""
    request = registry_service_pb2.DeleteTaskDefinitionsRequest(task_definitions=references)
    answer = connection.run(context, lambda client: client.call(client.registry.DeleteTaskDefinitions, request))
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        for definition in answer.task_definitions:
            status = arguments.spelled(task_definition_pb2.TaskDefinitionStatus, definition.status)
            output.say(f"{definition.family}:{definition.revision} {status}")
    arguments.fail_on(answer.failures)
