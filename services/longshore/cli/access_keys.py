"""`longshore access-key`: create, list, delete the keys that requests of aws cli, boto3 and Terraform are signed with."""

from enum import StrEnum
from typing import Annotated

import typer

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.rpc import codec
from longshore.v1 import account_pb2, options_pb2, registry_service_pb2

app = typer.Typer(
    no_args_is_help=True, help="Access keys: what requests of aws cli, boto3 and Terraform are signed with."
)


class Role(StrEnum):
    """What a key may do; each includes those before it."""

    READ_ONLY = "read-only"
    RUN = "run"
    ADMIN = "admin"


_NUMBERS = {
    Role.READ_ONLY: options_pb2.ROLE_READ_ONLY,
    Role.RUN: options_pb2.ROLE_RUN,
    Role.ADMIN: options_pb2.ROLE_ADMIN,
}


@app.command()
def create(
    context: typer.Context,
    role: Annotated[
        Role,
        typer.Option(help="What it may do: describe and list; besides, run and stop tasks; everything."),
    ],
    name: Annotated[str | None, typer.Argument(help="What to call it; two keys of one name are one user.")] = None,
    option: Annotated[str | None, typer.Option("--name", help="The same, as an option.")] = None,
) -> None:
    """Create a key, and show its secret: this once, and never again.

    What it prints to standard output is for a shell: eval "$(longshore access-key create NAME --role ROLE)".
    """
    if (name is None) == (option is None):
        raise typer.BadParameter("give the key one name, as in: longshore access-key create ci --role run")
    request = registry_service_pb2.CreateAccessKeyRequest(name=name or option, role=_NUMBERS[role])
    answer = connection.run(context, lambda client: client.call(client.registry.CreateAccessKey, request))
    if connection.options(context).as_json:
        output.print_json(answer)
        return
    key = answer.access_key
    output.notice(f"The access key {key.name} may do what {role} may. Its secret is shown this once; keep it safe.")
    output.say(f"export AWS_ACCESS_KEY_ID={key.access_key_id}")
    output.say(f"export AWS_SECRET_ACCESS_KEY={answer.secret_access_key}")


@app.command("list")
def list_keys(context: typer.Context) -> None:
    """List the keys, without their secrets."""

    async def work(client: clients.Client) -> list[account_pb2.AccessKey]:
        pages = client.pages(client.registry.ListAccessKeys, registry_service_pb2.ListAccessKeysRequest())
        return [key async for page in pages for key in page.access_keys]

    keys = connection.run(context, work)
    if connection.options(context).as_json:
        output.print_json({"accessKeys": [codec.to_json(key) for key in keys]})
        return
    rows = [
        (
            key.access_key_id,
            key.name,
            arguments.spelled(options_pb2.Role, key.role),
            output.when(key.created_at),
            key.created_by,
        )
        for key in keys
    ]
    output.print_table(["ACCESS KEY", "NAME", "ROLE", "CREATED", "CREATED BY"], rows, empty="There are no access keys.")


@app.command()
def delete(
    context: typer.Context, access_key_id: Annotated[str, typer.Argument(help="Id of the key, as `list` shows it.")]
) -> None:
    """Delete a key; what is signed with it is refused within ten seconds."""
    request = registry_service_pb2.DeleteAccessKeyRequest(access_key_id=access_key_id)
    answer = connection.run(context, lambda client: client.call(client.registry.DeleteAccessKey, request))
    if connection.options(context).as_json:
        output.print_json(answer)
        return
    key = answer.access_key
    output.say(f"{key.access_key_id} ({key.name}) is deleted: requests signed with it are refused within ten seconds.")
