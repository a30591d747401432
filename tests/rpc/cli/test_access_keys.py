"""`longshore access-key` against a registry that really serves."""

import asyncio
import contextlib
import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog.testing
from typer import testing

from longshore.cli import application, exits
from longshore.events import memory_bus
from longshore.registry import app
from longshore.registry.config import Config
from longshore.storage import database

Run = Callable[..., testing.Result]


@pytest.fixture
def longshore(tmp_path: Path) -> Iterator[Run]:
    """The command, pointed at a registry on a loop of its own: a command has one too."""
    ready = threading.Event()
    found: list[str] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        config = Config(listen="127.0.0.1:0", seal_key_file=tmp_path / "seal.key", make_seal_key=True)
        opened = await database.open_database(f"sqlite://{tmp_path}/state.db")
        try:
            async with app.serve(config, database=opened, bus=memory_bus.MemoryBus()) as serving:
                found.append(serving.address)
                ready.set()
                await over.wait()
        finally:
            await opened.close()

    def run(*words: str) -> testing.Result:
        return testing.CliRunner().invoke(application.app, list(words), env={"LONGSHORE_REGISTRY": found[0]})

    with contextlib.ExitStack() as stack:
        # What the registry logs would otherwise be among what the command prints: they share a process here.
        stack.enter_context(structlog.testing.capture_logs())
        stack.callback(loop.close)
        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        stack.callback(thread.join)
        stack.callback(loop.call_soon_threadsafe, over.set)
        assert ready.wait(20)
        yield run


def test_a_key_is_shown_once_as_lines_for_a_shell(longshore: Run) -> None:
    done = longshore("access-key", "create", "ci", "--role", "run")

    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert re.fullmatch(r"export AWS_ACCESS_KEY_ID=AKLS[A-Z2-7]{16}", first)
    assert re.fullmatch(r"export AWS_SECRET_ACCESS_KEY=[A-Za-z0-9]{40}", second)
    assert shlex.split(first)[1] == first.removeprefix("export ")
    assert done.stderr == "The access key ci may do what run may. Its secret is shown this once; keep it safe.\n"
    assert second.partition("=")[2] not in longshore("--output", "json", "access-key", "list").output


def test_the_same_for_programs(longshore: Run) -> None:
    made = json.loads(longshore("--output", "json", "access-key", "create", "--name", "ci", "--role", "admin").stdout)
    listed = json.loads(longshore("--output", "json", "access-key", "list").stdout)
    deleted = json.loads(longshore("--output", "json", "access-key", "delete", made["accessKey"]["accessKeyId"]).stdout)

    assert sorted(made) == ["accessKey", "secretAccessKey"]
    assert made["accessKey"]["role"] == "admin"
    assert listed == {"accessKeys": [made["accessKey"]]}
    assert deleted == {"accessKey": made["accessKey"]}


def test_the_list_is_a_table_without_secrets(longshore: Run) -> None:
    empty = longshore("access-key", "list")
    longshore("access-key", "create", "ci", "--role", "read-only")
    done = longshore("access-key", "list")

    assert (empty.stdout, empty.stderr) == ("", "There are no access keys.\n")
    assert re.split(r" {2,}", done.stdout.splitlines()[0].strip()) == [
        "ACCESS KEY",
        "NAME",
        "ROLE",
        "CREATED",
        "CREATED BY",
    ]
    assert re.search(r"AKLS[A-Z2-7]{16} +ci +read-only +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +local-admin", done.stdout)


def test_a_deleted_key_is_told_and_gone(longshore: Run) -> None:
    line = longshore("access-key", "create", "ci", "--role", "run").stdout.splitlines()[0]
    access_key_id = line.partition("=")[2]

    done = longshore("access-key", "delete", access_key_id)
    again = longshore("access-key", "delete", access_key_id)

    assert done.stdout == f"{access_key_id} (ci) is deleted: requests signed with it are refused within ten seconds.\n"
    assert again.exit_code == exits.FAILED
    assert f"There is no access key {access_key_id}." in again.stderr
    assert "`longshore access-key list` shows the access keys." in again.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ci",), "Missing option '--role'"),
        (("ci", "--role", "owner"), "is not one of 'read-only', 'run', 'admin'"),
        (("--role", "run"), "give the key one name"),
        (("ci", "--name", "ci", "--role", "run"), "give the key one name"),
    ],
)
def test_a_key_needs_one_name_and_a_role(longshore: Run, words: tuple[str, ...], told: str) -> None:
    done = longshore("access-key", "create", *words)

    assert done.exit_code == exits.USAGE
    assert told in re.sub(r"\s+", " ", re.sub(r"[│╭╮╰╯─]", " ", done.output))


def test_a_bad_name_is_refused_in_words(longshore: Run) -> None:
    done = longshore("access-key", "create", "a b", "--role", "run")

    assert done.exit_code == exits.FAILED
    assert "1 to 64 letters, digits" in done.stderr
