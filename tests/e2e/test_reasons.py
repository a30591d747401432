"""What cannot run says why: the documented reason each, no hang, and no stack trace at the user."""

import json
import socket
from typing import Any

import pytest

from tests.e2e import calls, stacks


def run_container(stack: stacks.Stack, family: str, **container: object) -> tuple[int, dict[str, Any]]:
    """Run a task of one container to its end; the exit status, and the task."""
    described = {"name": "main", "image": "busybox", "memory": 16, "command": ["sleep", "600"], **container}
    words = ("run", "-", "--family", family, "--wait", "--output", "json")
    done = stack.command(*words, check=False, stdin=json.dumps([described]))
    assert "Traceback" not in done.stderr
    (task,) = json.loads(done.stdout)["tasks"]
    return done.returncode, task


def test_an_image_that_does_not_exist(embedded: stacks.Stack) -> None:
    """CannotPullContainerError; 125, as nothing ran."""
    status, task = run_container(embedded, "no-image", image="127.0.0.1:1/none:1")
    assert (status, task["stopCode"]) == (125, "TaskFailedToStart")
    assert task["containers"][0]["reason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in task["containers"][0]


def test_a_command_that_does_not_exist(embedded: stacks.Stack) -> None:
    """CannotStartContainerError, with the name that was not found."""
    status, task = run_container(embedded, "no-command", command=["/no/such/program"])
    assert (status != 0, task["stopCode"]) == (True, "TaskFailedToStart")
    assert task["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "/no/such/program" in task["containers"][0]["reason"]


def test_a_container_that_exceeds_its_memory(embedded: stacks.Stack) -> None:
    """OutOfMemoryError, and the kernel's exit code."""
    status, task = run_container(embedded, "hungry", command=["tail", "/dev/zero"])
    assert (status, task["stopCode"]) == (137, "EssentialContainerExited")
    assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert task["containers"][0]["exitCode"] == 137


def test_a_memory_of_four_mebibytes(embedded: stacks.Stack) -> None:
    """Less than the engine takes: it says how much that is."""
    status, task = run_container(embedded, "tiny", memory=4)
    assert (status, task["stopCode"]) == (125, "TaskFailedToStart")
    assert task["containers"][0]["reason"].startswith("CannotCreateContainerError: ")
    assert "Minimum memory limit allowed is 6MB" in task["containers"][0]["reason"]


def test_a_port_that_another_process_holds(embedded: stacks.Stack) -> None:
    """The container's reason names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, task = run_container(embedded, "taken", portMappings=[{"containerPort": 80, "hostPort": port}])
    assert (status != 0, task["stopCode"]) == (True, "TaskFailedToStart")
    assert str(port) in task["containers"][0]["reason"]


def test_a_port_that_another_task_holds(embedded: stacks.Stack) -> None:
    """RESOURCE:PORTS names the port, before anything is started."""
    port = free_port()
    container = {
        "name": "main",
        "image": "busybox",
        "memory": 16,
        "command": ["sleep", "600"],
        "stopTimeout": 1,
        "portMappings": [{"containerPort": 80, "hostPort": port}],
    }
    first = calls.run_json(embedded, "run", "-", "--family", "holds", stdin=json.dumps([container]))
    refused = calls.run_json(embedded, "run", "holds", check=False)
    (failure,) = refused["failures"]
    assert failure["reason"] == "RESOURCE:PORTS"
    assert str(port) in failure["detail"]
    embedded.command("stop", first["tasks"][0]["taskArn"])


def free_port() -> int:
    """A port that nobody listens on, outside of the kernel's range of dynamic ones."""
    for port in range(20_000, 30_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")


def test_a_definition_of_ten_megabytes(embedded: stacks.Stack) -> None:
    """Refused with the limit."""
    environment = [{"name": "A", "value": "x" * 10_000_000}]
    container = {"name": "main", "image": "busybox", "memory": 16, "environment": environment}
    words = ("task-definition", "register", "-", "--family", "large")
    done = embedded.command(*words, check=False, stdin=json.dumps([container]))
    assert done.returncode == 1
    assert done.stderr.startswith("ClientException: ")
    assert "xxxx" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "nobody"), "nobody"),
        (("run", "--cluster", "nowhere", "nobody"), "nobody"),
        (("task", "list", "--cluster", "nowhere"), "ClusterNotFoundException"),
        (("task", "describe", "0" * 32), "MISSING"),
        (("stop", "0" * 32), "InvalidParameterException"),
        (("instance", "drain", "0" * 32), "MISSING"),
        (("events", "--cursor", "nonsense"), "InvalidParameterException"),
        (("task-definition", "describe", "nobody"), "ClientException"),
        (("task-definition", "register", "/no/such/file.json"), "Cannot read /no/such/file.json"),
        (("cluster", "delete", "nowhere"), "ClusterNotFoundException"),
    ],
)
def test_what_is_not_there(embedded: stacks.Stack, words: tuple[str, ...], said: str) -> None:
    """Exit status 1, one error that names it, no stack trace."""
    done = embedded.command(*words, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
