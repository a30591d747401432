"""The main path in both ways to run: from a task-definition file to a container's exit code."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import pytest

from tests.e2e import calls, containers, stacks, waits
from tests.engines import docker, image_registry, waiting
from tests.integration.agent import registry

EXAMPLES = Path(__file__).parents[2] / "examples"
HELLO = str(EXAMPLES / "hello.json")
ANSWER_S = 10.0


def test_run_wait_exits_with_the_containers_exit_code(stack: stacks.Stack) -> None:
    """The command ends as the container did, and tells the way there."""
    done = stack.command("run", HELLO, "--wait", check=False)
    assert done.returncode == 7, done.stdout + done.stderr
    assert re.fullmatch(r"hello from [0-9a-f]{12}\n", done.stdout), "standard output is the container's own"
    assert [line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")] == [
        "Registered",
        "Placed",
        "Running",
        "Stopped",
    ]
    assert "exit code 7" in done.stderr


def test_run_wait_streams_the_output_of_each_stream_to_its_own_and_names_the_containers_of_several(
    stack: stacks.Stack,
) -> None:
    """What a pipe gets is what the container wrote, also of a task that is over at once; JSON stays alone."""
    words = ("run", HELLO, "--wait", "--command", """["sh", "-c", "printf out; echo err >&2"]""")
    done = stack.command(*words)
    assert done.stdout == "out"
    assert "\nerr\n" in done.stderr
    assert json.loads(stack.command(*words, "--output", "json").stdout)["tasks"]
    done = stack.command("run", str(EXAMPLES / "two-containers.json"), "--wait")
    assert done.stdout == "worker | round 1\nworker | round 2\n"
    (arn,) = calls.run_json(stack, "task", "list", "--family", "two-containers", "--stopped")["taskArns"][-1:]
    assert stack.command("logs", arn).stdout == done.stdout
    listed = stack.command("logs", arn, "--container", "worker", "--output", "json", "--tail", "1").stdout
    assert json.loads(listed) == {"container": "worker", "stream": "stdout", "message": "round 2"}


def test_describe_shows_the_last_lines_of_what_failed_and_of_nothing_else(stack: stacks.Stack) -> None:
    """The evidence stands beside the exit code."""
    failing = """["sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; exit 4"]"""
    for command, code in ((failing, 4), ("""["echo", "all is well"]""", 0)):
        done = stack.command("run", HELLO, "--wait", "--command", command, check=False)
        (task_id,) = set(re.findall(r"[0-9a-f]{32}(?= after)", done.stderr))
        assert done.returncode == code
        shown = stack.command("task", "describe", task_id).stdout
        told = "\nLast lines of hello:\n" + "".join(f"line {n}\n" for n in range(3, 13))
        assert (told in shown, "Last lines" in shown) == (code == 4, code == 4)


async def test_a_pull_is_told_of_as_it_goes(
    embedded: stacks.Stack, registry_session: image_registry.ImageRegistry, docker_engine: docker.DockerEngine
) -> None:
    """From the engine's lines through the agent's reports and the event stream to the person who waits."""
    async with registry.serving(registry_session, docker_engine) as front:
        await front.publish("large", size=2 << 20)
        front.piece_s = 0.05
        definition = json.loads((EXAMPLES / "hello.json").read_text())
        definition["family"] = "pulled"
        definition["containerDefinitions"][0] |= {"image": front.image, "command": ["sh", "-c", "exit 0"]}
        done = await asyncio.to_thread(embedded.command, "run", "-", "--wait", stdin=json.dumps(definition))
    told = [line for line in done.stderr.splitlines() if line.startswith("Pulling")]
    assert 1 <= len(told) <= 5, done.stderr
    assert all(f" {front.image} " in line and " of " in line for line in told)
    assert "100%" in told[-1]


def test_a_stopped_task_keeps_its_story(stack: stacks.Stack) -> None:
    """Exit code, stop code, reason and times of a task that has ended are there, in ECS's shape."""
    answer = calls.run_json(stack, "run", HELLO, "--wait", check=False)
    (task,) = answer["tasks"]
    assert task["lastStatus"] == "STOPPED"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 7
    assert task["createdAt"] <= task["startedAt"] <= task["stoppedAt"]
    assert task["version"] >= 3
    listed = calls.run_json(stack, "task", "list", "--family", "hello", "--stopped")["taskArns"]
    assert task["taskArn"] in listed


def test_a_task_of_twenty_milliseconds_is_not_missed(stack: stacks.Stack) -> None:
    """--wait follows from the commit that placed the task, however short it lives."""
    for _ in range(3):
        done = stack.command("run", HELLO, "--wait", "--command", '["sh", "-c", "exit 3"]', check=False)
        assert done.returncode == 3, done.stdout + done.stderr


def test_two_containers_end_with_the_essential_one(stack: stacks.Stack) -> None:
    """The companion is stopped when the essential container has ended; the task ends with the essential one's code."""
    answer = calls.run_json(stack, "run", str(EXAMPLES / "two-containers.json"), "--wait")
    (task,) = answer["tasks"]
    codes = {container["name"]: container["exitCode"] for container in task["containers"]}
    assert codes["worker"] == 0
    assert task["stopCode"] == "EssentialContainerExited"
    assert all(container["lastStatus"] == "STOPPED" for container in task["containers"])


def test_a_published_port_answers_at_the_printed_url(stack: stacks.Stack) -> None:
    """`run` and `task describe` print a URL per port, and something answers there."""
    printed = stack.command("run", str(EXAMPLES / "web.json")).stdout
    (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)$", printed, re.MULTILINE)
    url = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as page:
        assert page.read().strip() == b"It works"
    (arn,) = calls.run_json(stack, "task", "list", "--family", "web")["taskArns"]
    assert url in stack.command("task", "describe", arn).stdout
    stack.command("stop", arn)


def test_stop_says_who_and_why(stack: stacks.Stack) -> None:
    """A stopped task carries the code and the reason of the stop."""
    container = {"name": "main", "image": "busybox", "memory": 16, "command": ["sleep", "600"], "stopTimeout": 1}
    stack.command("run", "-", "--family", "stopped", stdin=json.dumps([container]))
    (arn,) = calls.run_json(stack, "task", "list", "--family", "stopped")["taskArns"]
    stack.command("stop", arn, "--reason", "enough slept")
    waits.until_stopped(stack, [arn])
    task = calls.task(stack, arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough slept")
    assert task["containers"][0]["exitCode"] == 137  # sleep takes no notice of SIGTERM
    assert task["createdAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]


def test_the_article_s_example_runs_as_it_stands(stack: stacks.Stack) -> None:
    """examples/sleep360.json runs, and is told to stop; nobody waits for its six minutes."""
    placed = calls.run_json(stack, "run", str(EXAMPLES / "sleep360.json"))
    (task,) = placed["tasks"]
    waits.until_running(stack, [task["taskArn"]])
    assert calls.run_json(stack, "stop", task["taskArn"])["task"]["desiredStatus"] == "STOPPED"
    stack.engine.remove_labelled(f"{containers.TASK_ID_LABEL}={containers.id_of(task['taskArn'])}")
    waits.until_stopped(stack, [task["taskArn"]])


def test_what_does_not_fit_is_refused_with_numbers(stack: stacks.Stack) -> None:
    """RESOURCE:CPU, what is needed and what is free."""
    done = stack.command("--output", "json", "run", str(EXAMPLES / "too-big.json"), check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["tasks"] == []
    (failure,) = answer["failures"]
    assert failure["reason"] == "RESOURCE:CPU"
    assert failure["detail"].startswith("needs 131072 CPU units, ")


def test_what_waits_for_capacity_runs_where_another_ends(stack: stacks.Stack, free_port: Callable[[], int]) -> None:
    """One host port, three who want it: two wait for the first, and the one with the priority goes before the one that came before it."""
    port = free_port()

    def holder(*words: str) -> str:
        mapping = {"containerPort": 80, "hostPort": port}
        container = {"name": "main", "image": "busybox", "memory": 16, "stopTimeout": 1, "portMappings": [mapping]}
        return json.dumps([container | {"command": words}])

    first = stack.command("run", "-", "--family", "queue-1", stdin=holder("sleep", "600"))
    (held,) = re.findall(r"Placed +([0-9a-f]{32})", first.stdout)
    second = stack.command(
        "run", "-", "--family", "queue-2", "--wait-for-capacity", "--detach", stdin=holder("sleep", "600")
    )
    (queued,) = re.findall(
        rf"Waiting +([0-9a-f]{{32}}) for capacity, needs ports that are taken: {port}", second.stdout
    )
    described = stack.command("task", "describe", queued).stdout
    assert re.search(rf"PROVISIONING.*position 1 of 1: needs ports that are taken: {port}", described, re.DOTALL)
    assert calls.task(stack, queued)["lastStatus"] == "PROVISIONING"
    with futures.ThreadPoolExecutor() as threads:
        words = ("run", "-", "--family", "queue-3", "--wait-for-capacity=5m", "--priority", "1", "--wait")
        third = threads.submit(stack.command, *words, stdin=holder("echo", "said"))
        waiting.until(
            lambda: bool(calls.run_json(stack, "task", "list", "--family", "queue-3")["taskArns"]),
            within_s=60,
            what="the third task waits",
        )
        stack.command("stop", held)
        waits.until_stopped(stack, [held])
        done = third.result(timeout=60)
    assert done.stdout == "said\n"
    told = list(dict.fromkeys(line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")))
    assert told == ["Registered", "Waiting", "Placed", "Running", "Stopped"]
    waits.until_running(stack, [queued])
    stack.command("stop", queued)
    waits.until_stopped(stack, [queued])


def test_ten_tasks_of_one_call_all_end(stack: stacks.Stack) -> None:
    """A call for ten makes ten, each once."""
    done = stack.command("run", HELLO, "--count", "10", "--wait", "--command", '["true"]')
    assert done.stderr.count("Placed") == 10
    assert done.stderr.count("Stopped") == 10
    done = stack.command("run", HELLO, "--count", "2", "--wait", "--command", '["echo", "said"]')
    ids = re.findall(r"Placed +([0-9a-f]{32})", done.stderr)
    assert sorted(done.stdout.splitlines()) == sorted(f"{task_id[-12:]} hello | said" for task_id in ids)


def test_the_instance_shows_what_the_host_has(stack: stacks.Stack) -> None:
    """Registered CPU and memory are the engine's own; nothing is in use when nothing runs."""
    instance = calls.only_instance(stack)
    registered = {resource["name"]: resource for resource in instance["registeredResources"]}
    assert registered["CPU"]["integerValue"] == int(stack.engine.docker("info", "--format", "{{.NCPU}}")) * 1024
    assert (instance["agentConnected"], instance["status"]) == (True, "ACTIVE")
    waits.until_idle(stack)
    instance = calls.only_instance(stack)
    assert instance["remainingResources"] == instance["registeredResources"]
    assert (instance["runningTasksCount"], instance["pendingTasksCount"]) == (0, 0)


def test_a_draining_instance_takes_nothing_until_activated(stack: stacks.Stack) -> None:
    """What drain has answered binds the next placement, and activate ends it."""
    arn = calls.only_instance(stack)["containerInstanceArn"]
    stack.command("instance", "drain", arn)
    refused = stack.command("run", HELLO, check=False)
    assert refused.returncode == 1
    stack.command("instance", "activate", arn)
    done = stack.command("run", HELLO, "--wait", check=False)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"family": "x", "containerDefinitions": [{"name": "a", "image": "busybox", "memry": 1}]}', "memory"),
        ('{"family": "x", "containerDefinitions": [{"name": "a", "image": "busybox"}]}', "memoryReservation"),
        ("[1]", "family"),
        ("not json", "JSON"),
    ],
)
def test_a_faulty_definition_is_refused_with_what_is_wrong(stack: stacks.Stack, document: str, said: str) -> None:
    """The error names what is wrong; no stack trace reaches the user."""
    done = stack.command("task-definition", "register", "-", check=False, stdin=document)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_describe_prints_registers_again(stack: stacks.Stack) -> None:
    """`describe` prints ECS's shape, and `register` takes it with one notice."""
    stack.command("task-definition", "register", HELLO)
    printed = stack.command("task-definition", "describe", "hello").stdout
    done = stack.command("task-definition", "register", "-", stdin=printed)
    assert done.stdout.startswith("Registered hello:")
    assert done.stderr.count("left out") == 1


def test_status_names_components_and_leader(stack: stacks.Stack) -> None:
    """Every component serves, and the cluster has one leader."""
    status = calls.run_json(stack, "status")
    assert {part["state"] for part in status["components"]} == {"SERVING"}
    assert status["clusters"][0]["leader"] in stack.addresses.scheduler


def test_start_places_on_the_instance_that_was_named(stack: stacks.Stack) -> None:
    """Your own scheduler decides: where, and of a wrong name it is told."""
    instance = containers.id_of(calls.only_instance(stack)["containerInstanceArn"])
    done = stack.command("start", HELLO, "--instance", instance, "--wait", check=False)
    assert done.returncode == 7, done.stdout + done.stderr
    assert f"({instance})" in done.stderr
    refused = calls.run_json(stack, "start", HELLO, "--instance", "0" * 32, check=False)
    assert (refused["tasks"], [failure["reason"] for failure in refused["failures"]]) == ([], ["MISSING"])


def test_events_are_followed_and_resumed_from_the_cursor(stack: stacks.Stack) -> None:
    """--follow prints each change as it is committed; the cursor of an earlier run continues it without a gap."""
    at = stack.command("events").stderr.split()[-1]
    done = stack.command("run", HELLO, "--wait", "--started-by", "events-test", check=False)
    (task_id,) = set(re.findall(r"[0-9a-f]{32}(?= after)", done.stderr))
    words = [sys.executable, "-m", "longshore.cli", "events", "--follow", "--cursor", at, "--family", "hello"]
    environ = stacks.environment() | stack.variables
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        lines: list[str] = []
        while not lines or "released" not in lines[-1]:
            lines.append(following.stdout.readline())
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=10)
    story = [re.findall(r"(PENDING|RUNNING|STOPPED)\b(.*)", line)[0] for line in lines if task_id in line]
    statuses = [status for status, _ in story]
    assert statuses == sorted(statuses, key=["PENDING", "RUNNING", "STOPPED"].index)
    assert statuses[0] == "PENDING"
    assert "hello exit code 7" in "".join(why for _, why in story)
    assert "longshore events --cursor " in said
    assert stack.command("events", "--cursor", said.split()[-1], "--family", "hello").stdout == ""
    assert calls.run_json(stack, "task", "list", "--started-by", "events-test", "--stopped")["taskArns"] != []


def test_revisions_live_and_die(stack: stacks.Stack) -> None:
    """A deregistered revision starts nothing; deleted, it is gone; its number is not used again."""
    container = '[{"name": "main", "image": "busybox", "memory": 16}]'
    words = ("task-definition", "register", "-", "--family", "mortal")
    assert stack.command(*words, stdin=container).stdout == "Registered mortal:1\n"
    assert stack.command("task-definition", "deregister", "mortal:1").stdout == "Deregistered mortal:1\n"
    assert "inactive" in stack.command("run", "mortal:1", check=False).stderr
    assert "mortal:1" in stack.command("task-definition", "list", "--family", "mortal", "--inactive").stdout
    assert stack.command("task-definition", "delete", "mortal:1").stdout.startswith("mortal:1 ")
    assert stack.command(*words, stdin=container).stdout == "Registered mortal:2\n"


def test_clusters_are_made_listed_and_deleted(stack: stacks.Stack) -> None:
    """A cluster without hosts refuses tasks in words, and can be deleted."""
    stack.command("cluster", "create", "empty", "--tag", "team=a")
    assert "empty" in stack.command("cluster", "list").stdout
    (described,) = calls.run_json(stack, "cluster", "describe", "empty")["clusters"]
    assert (described["status"], described["tags"]) == ("ACTIVE", [{"key": "team", "value": "a"}])
    refused = stack.command("run", HELLO, "--cluster", "empty", check=False)
    assert "No Container Instances were found in your cluster." in refused.stderr
    stack.command("cluster", "delete", "empty")
    (deleted,) = calls.run_json(stack, "cluster", "describe", "empty")["clusters"]
    assert deleted["status"] == "INACTIVE"


def test_a_definition_for_fargate_runs_as_it_is_and_its_task_shows_its_address(stack: stacks.Stack) -> None:
    """Two containers that share an address: nothing is asked for but the file."""
    stack.command("run", str(EXAMPLES / "fargate.json"))
    (arn,) = calls.run_json(stack, "task", "list", "--family", "fargate")["taskArns"]
    shown = stack.command("task", "describe", arn).stdout
    found = re.search(r"^Address +(\d+\.\d+\.\d+\.\d+)$", shown, re.MULTILINE)
    assert found, shown
    with socket.create_connection((found[1], 8080), timeout=ANSWER_S) as connection:
        assert connection.recv(100) == b"hello\n"
    assert stack.command("logs", arn, "--container", "client", "--follow").stdout == "hello\n"
    stack.command("stop", arn)
