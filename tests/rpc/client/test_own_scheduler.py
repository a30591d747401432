"""`examples/own_scheduler.py` as it stands, a process of its own, on a control plane and a host without containers."""

import ast
import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.drill import line
from tests.conformance import world
from tests.engines.processes import ServerProcess

EXAMPLE = Path(__file__).parents[3] / "examples/own_scheduler.py"
CLUSTER = "own"
STARTED_BY = "own-scheduler/rack"
BOUND_S = 20.0
MOST_STATEMENTS = 20


class Lines:
    """The program's ways to the components; both can be cut."""

    def __init__(self, stack: world.World) -> None:
        self._loop = stack.loop
        self._lines = {
            name: line.Line((host, int(port)))
            for name in ("scheduler", "state_tracker")
            for host, _, port in (stack.at[name].rpartition(":"),)
        }

    def mend(self) -> None:
        self._each(line.Line.mend)

    def cut(self) -> None:
        self._each(line.Line.cut)

    def close(self) -> None:
        self._each(line.Line.close)

    @property
    def variables(self) -> dict[str, str]:
        return {f"LONGSHORE_{name.upper()}": f"127.0.0.1:{one.port}" for name, one in self._lines.items()}

    def _each(self, act: Callable[[line.Line], Any]) -> None:
        for one in self._lines.values():
            asyncio.run_coroutine_threadsafe(act(one), self._loop).result(BOUND_S)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.World]:
    with world.running(tmp_path_factory.mktemp("own")) as made:
        yield made


def tasks(stack: world.World) -> list[str]:
    found: list[str] = stack.ecs.list_tasks(cluster=CLUSTER, startedBy=STARTED_BY)["taskArns"]
    return found


def test_one_task_is_kept_where_it_is_wanted_whatever_happens(stack: world.World, tmp_path: Path) -> None:
    ecs, ways = stack.ecs, Lines(stack)
    ecs.create_cluster(clusterName=CLUSTER)
    container = {"name": "app", "image": world.IMAGE, "memory": 64, "essential": True}
    ecs.register_task_definition(family="kept", containerDefinitions=[container])
    ways.mend()
    variables = ways.variables | {"LONGSHORE_REGISTRY": stack.at["registry"], "LONGSHORE_CLUSTER": CLUSTER}
    words = ["env", *(f"{name}={value}" for name, value in variables.items()), sys.executable, str(EXAMPLE)]
    program = ServerProcess("own scheduler", [*words, "kept", "rack"], log=tmp_path / "program.log")
    rack = {"name": "rack", "value": "7", "targetType": "container-instance"}
    with stack.host(tmp_path / "host", CLUSTER):
        (instance,) = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        try:
            program.start(lambda: True)

            def another_than(known: list[str]) -> str:
                stack.wait(lambda: len(tasks(stack)) == 1 and tasks(stack) != known)
                (arn,) = tasks(stack)
                assert stack.running(arn, CLUSTER)["containerInstanceArn"] == instance
                return arn

            assert tasks(stack) == []
            ecs.put_attributes(cluster=CLUSTER, attributes=[rack | {"targetId": instance}])
            first = another_than([])

            ecs.stop_task(cluster=CLUSTER, task=first)
            second = another_than([first])

            ways.cut()
            ecs.stop_task(cluster=CLUSTER, task=second)
            assert tasks(stack) == []
            ways.mend()
            third = another_than([second])

            start = {"cluster": CLUSTER, "taskDefinition": "kept", "startedBy": STARTED_BY}
            (surplus,) = ecs.start_task(containerInstances=[instance], **start)["tasks"]
            stack.wait(lambda: len(tasks(stack)) == 1)
            assert tasks(stack)[0] in {third, surplus["taskArn"]}

            ecs.delete_attributes(cluster=CLUSTER, attributes=[{"name": "rack", "targetId": instance}])
            stack.wait(lambda: tasks(stack) == [])
            assert program.running, (tmp_path / "program.log").read_text()
        finally:
            program.stop()
            ways.close()
    assert (tmp_path / "program.log").read_text() == ""


def test_what_is_refused_is_told_with_its_numbers(stack: world.World, tmp_path: Path) -> None:
    container = {"name": "app", "image": world.IMAGE, "memory": 640_000, "essential": True}
    stack.ecs.register_task_definition(family="large", containerDefinitions=[container])
    attribute = {"name": "rack", "targetType": "container-instance", "targetId": stack.instance()}
    stack.ecs.put_attributes(attributes=[attribute])
    environ = os.environ | {f"LONGSHORE_{name.upper()}": address for name, address in stack.at.items()}
    program = subprocess.Popen(
        [sys.executable, EXAMPLE, "large", "rack"], env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        said = program.stdout.readline()
    finally:
        program.terminate()
        program.communicate(timeout=BOUND_S)
    assert said.startswith(f"{stack.instance()}: RESOURCE:MEMORY "), said
    assert "640000 MiB" in said


def test_its_logic_has_twenty_lines_at_most() -> None:
    """Statements of its two functions, docstrings aside: what is to be read and understood."""
    functions = [node for node in ast.walk(ast.parse(EXAMPLE.read_text())) if isinstance(node, ast.AsyncFunctionDef)]
    statements = [
        node
        for function in functions
        if function.name != "main"
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and node is not function and node is not function.body[0]
    ]
    assert len(statements) <= MOST_STATEMENTS
