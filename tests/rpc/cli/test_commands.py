"""The command against a control plane that answers, refuses and is away: what it prints where, and how it ends."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from typer import testing

from longshore.cli import application, connection, exits
from longshore.client import addresses
from longshore.rpc import errors
from longshore.v1 import scheduler_service_pb2, task_pb2
from tests.rpc.client import control_plane

TASK = f"arn:aws:ecs:us-east-1:123456789012:task/default/{control_plane.TASK}"


@contextlib.contextmanager
def served(script: control_plane.Script) -> Iterator[addresses.Addresses]:
    """The scripted control plane on a loop of its own: a command has one too."""
    ready = threading.Event()
    found: list[addresses.Addresses] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with control_plane.serving(script) as at:
            found.append(at)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def longshore(at: addresses.Addresses, *words: str) -> testing.Result:
    environ = {
        "LONGSHORE_REGISTRY": ",".join(at.registry),
        "LONGSHORE_SCHEDULER": ",".join(at.scheduler),
        "LONGSHORE_STATE_TRACKER": ",".join(at.state_tracker),
        "LONGSHORE_GATEWAY": ",".join(at.gateway),
    }
    return testing.CliRunner().invoke(application.app, list(words), env=environ)


def test_a_list_is_every_page_in_ecs_s_shape() -> None:
    with served(control_plane.Script(clusters=("arn:x/a", "arn:x/b"))) as at:
        done = longshore(at, "--output", "json", "cluster", "list")
    assert (json.loads(done.stdout), done.stderr) == ({"clusterArns": ["arn:x/a", "arn:x/b"]}, "")


def test_an_empty_list_prints_nothing_but_a_notice() -> None:
    with served(control_plane.Script()) as at:
        done = longshore(at, "cluster", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "There are no clusters.\n"


def test_a_refusal_is_its_name_and_its_words() -> None:
    refusal = errors.InvalidParameterException("cluster [x] is none.")
    with served(control_plane.Script(failures=[refusal])) as at:
        done = longshore(at, "cluster", "list")
    assert done.exit_code == exits.FAILED
    assert done.stderr == "InvalidParameterException: cluster [x] is none.\n"


def test_who_is_away_for_a_moment_is_waited_for_with_a_word() -> None:
    with served(control_plane.Script(failures=[errors.Unavailable("A leader is being chosen.")] * 3)) as at:
        done = longshore(at, "cluster", "list")
    assert done.exit_code == 0
    assert done.stderr.startswith("A leader is being chosen.\nTrying again for 10 s.\n")
    assert done.stderr.count("Trying again") == 1


def test_who_is_away_for_long_is_given_up_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE_S", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = (f"127.0.0.1:{taken.getsockname()[1]}",)
    done = longshore(addresses.Addresses(nobody, nobody, nobody), "cluster", "list")
    assert done.exit_code == exits.FAILED
    assert "\nUnavailable: " in done.stderr
    assert done.stderr.endswith(
        "Is Longshore running? Start it with `longshore up`, or say where it is: --server HOST or LONGSHORE_SERVER.\n"
    )


def test_a_stop_says_which_task_and_why() -> None:
    script = control_plane.Script(stopped=task_pb2.Task(task_arn=TASK, last_status=task_pb2.TASK_STATUS_STOPPING))
    with served(script) as at:
        done = longshore(at, "stop", control_plane.TASK, "--reason", "seen enough", "--cluster", "web")
    assert f"{control_plane.TASK}   STOPPING" in done.stdout
    (asked,) = script.unary
    assert asked == scheduler_service_pb2.StopTaskRequest(cluster="web", task=control_plane.TASK, reason="seen enough")


@pytest.mark.parametrize("named", [True, False])
def test_a_gateway_that_is_away_is_a_fault_only_where_there_should_be_one(*, named: bool) -> None:
    """Not every deployment has a gateway; one that was named has."""
    with socket.socket() as taken, served(control_plane.Script()) as at:
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        told = dataclasses.replace(at, gateway=(nobody,) if named else ())
        done = longshore(told, "status")
    assert (nobody in done.stdout) is named
    assert done.exit_code == (exits.FAILED if named else 0), done.output
