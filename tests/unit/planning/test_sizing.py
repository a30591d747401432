"""What would fit where, and how many instances it takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore.cli import components
from longshore.planning import asked, sizing, telling
from longshore.v1 import task_definition_pb2

WEB = {"family": "web", "containerDefinitions": [{"name": "a", "image": "web", "cpu": 256, "memory": 512}]}


def definition(family: str, cpu: int, memory: int, port: int = 0) -> task_definition_pb2.TaskDefinition:
    container = task_definition_pb2.ContainerDefinition(name="a", image="i", cpu=cpu, memory=memory)
    if port:
        container.port_mappings.add(container_port=80, host_port=port)
    return task_definition_pb2.TaskDefinition(family=family, container_definitions=[container])


BODIES = {
    "web": definition("web", 256, 512),
    "big": definition("big", 1024, 3000),
    "port": definition("port", 1, 4, 8080),
    "huge": definition("huge", 1, 100_000),
}


def plan(kinds: list[dict[str, Any]], **tasks: Any) -> tuple[asked.Asked, list[sizing.Wanted]]:
    listed = [
        {"definition": name, "count": count} if isinstance(count, int) else {"definition": name, **count}
        for name, count in tasks.items()
    ]
    made = asked.parse(json.dumps({"instances": kinds, "tasks": listed}))
    return made, [sizing.wanted(one, BODIES[one.definition]) for one in made.tasks]


def kind(name: str = "small", cpu: int = 2048, memory: int = 4096, **more: Any) -> dict[str, Any]:
    return {"kind": name, "cpu": cpu, "memory": memory, **more}


def test_what_fits_on_counted_instances_is_placed_and_what_does_not_says_why() -> None:
    made, wanted = plan([kind(count=2)], web=20, big=1)
    fit = sizing.fit(made.kinds, {"small": 2}, wanted)
    # The big one first; the web ones fill what is left of memory there (1096 of 512 each), and the other instance.
    assert fit.placed == {("small", "big"): 1, ("small", "web"): 2 + 8}
    assert fit.used == {"small": 2}
    (left,) = fit.unplaced
    assert (left.name, left.count) == ("web", 10)
    ((where, reason, detail),) = left.reasons
    assert where == "small"
    assert reason in {"RESOURCE:CPU", "RESOURCE:MEMORY"}
    assert "free" in detail


@pytest.mark.parametrize(
    ("tasks", "count"), [({"web": 8}, 1), ({"web": 9}, 2), ({"big": 3, "web": 8}, 4), ({"web": 80}, 10)]
)
def test_the_smallest_number_of_instances_is_found(tasks: dict[str, int], count: int) -> None:
    made, wanted = plan([kind()], **tasks)
    found = sizing.needed(made.kinds, made.kinds[0], wanted)
    assert found.count == count
    assert found.at_least <= count
    assert not found.fit.unplaced
    assert sizing.fit(made.kinds, {"small": count - 1}, wanted).unplaced


def test_each_open_kind_is_counted_beside_those_that_are_there() -> None:
    made, wanted = plan([kind("there", count=1), kind("small"), kind("large", 16_384, 32_768)], web=40)
    assert [sizing.needed(made.kinds, one, wanted).count for one in made.kinds[1:]] == [4, 1]


def test_nothing_is_needed_where_what_is_there_will_do() -> None:
    made, wanted = plan([kind("there", count=4), kind("more")], web=8)
    assert sizing.needed(made.kinds, made.kinds[1], wanted).count == 0


def test_static_ports_distinct_tasks_and_constraints_take_an_instance_each() -> None:
    for tasks in ({"port": 5}, {"web": {"count": 5, "distinct": True}}):
        made, wanted = plan([kind()], **tasks)
        assert sizing.needed(made.kinds, made.kinds[0], wanted).count == 5
    made, wanted = plan([kind(attributes={"zone": "a"})], web={"count": 1, "constraints": ["attribute:zone == b"]})
    assert sizing.needed(made.kinds, made.kinds[0], wanted).count is None


def test_what_is_larger_than_an_instance_fits_on_no_number_of_them() -> None:
    made, wanted = plan([kind()], huge=2, web=1)
    found = sizing.needed(made.kinds, made.kinds[0], wanted)
    assert found.count is None
    (left,) = found.fit.unplaced
    assert (left.name, left.count) == ("huge", 2)
    ((_, reason, detail),) = left.reasons
    assert reason == "RESOURCE:MEMORY"
    assert detail.startswith("needs 100000 MiB memory, 4096 of 4096 free")
    assert "No number of small takes it all:" in list(
        telling.lines(made.kinds, sizing.fit(made.kinds, {}, wanted), [found])
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not an object with the lists"),
        ("{", "not JSON"),
        ('{"instances": [], "tasks": [1]}', "instances is not a list with something in it"),
        ('{"instances": [{"kind": "a", "cpu": 1}], "tasks": [1]}', r"instances\[0\] has no memory"),
        ('{"instances": [{"kind": "a", "cpu": 0, "memory": 1}], "tasks": [1]}', "cpu is 0"),
        ('{"instances": [{"kind": "a", "cpu": 1, "memory": 1, "size": 1}], "tasks": [1]}', "size, which is not known"),
        ('{"instances": [{"kind": "a", "cpu": 1, "memory": 1}], "tasks": [{"definition": "a"}]}', "has no count"),
        (
            (
                '{"instances": [{"kind": "a", "cpu": 1, "memory": 1}],'
                ' "tasks": [{"definition": "a", "count": 1, "strategy": "pack"}]}'
            ),
            "'pack', not one of",
        ),
        (
            (
                '{"instances": [{"kind": "a", "cpu": 1, "memory": 1}],'
                ' "tasks": [{"definition": "a", "count": 1, "constraints": ["attribute:x ="]}]}'
            ),
            "constraints",
        ),
    ],
)
def test_a_wrong_plan_names_the_place(text: str, said: str) -> None:
    with pytest.raises(asked.BadPlan, match=said):
        asked.parse(text)


def test_the_command_plans_from_files_and_exits_by_whether_all_fits(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(json.dumps(WEB))
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"instances": [kind()], "tasks": [{"definition": "web.json", "count": 9}]}))
    command = [sys.executable, "-m", "longshore.cli", "simulate", "--plan", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "2 small take it all (by sums alone at least 2):",
        "  small            2 of 2 used          9 web.json",
    ]
    file.write_text(json.dumps({"instances": [kind(count=1)], "tasks": [{"definition": "web.json", "count": 9}]}))
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["counted"]["instances"] == [{"kind": "small", "count": 1, "used": 1, "placed": {"web.json": 8}}]
    assert told["counted"]["unplaced"][0]["count"] == 1


def test_a_plan_is_the_services_and_a_fleet_the_agent_s() -> None:
    simulate = components.COMPONENTS["simulate"]
    assert components.meant(simulate, ["--instances", "3"]) is simulate
    assert components.meant(simulate, ["--plan=x"]) is components.PLANNING
    assert components.meant(components.COMPONENTS["up"], ["--plan"]) is components.COMPONENTS["up"]
