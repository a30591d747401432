"""Every member of RegisterTaskDefinition does what docs/conformance.md says of it."""

import re
from typing import Any

import pytest
from botocore import exceptions

from tests.conformance import contract, effects, specimens, world

MEMBERS = [member for member in contract.members("RegisterTaskDefinition") if member.in_request]
BY_PATH = {member.path: member for member in MEMBERS}

EVERY_DEFINITION = {
    "family": "each definition is registered under one of its own",
    "containerDefinitions": "the plain definition has them",
    "containerDefinitions[].name": "the plain definition has it",
    "containerDefinitions[].image": "the plain definition has it",
    "containerDefinitions[].mountPoints": "the plain definition has one",
    "volumes": "the plain definition has one",
    "volumes[].name": "the plain definition has it",
}
"""Members without which there is no definition: their effect is that the plain one runs."""

ELSEWHERE = {
    "requiresCompatibilities": "the registry checks the definition against them",
    "tags": "they are the revision's and show with TAGS",
    "tags[].key": "as above",
    "tags[].value": "as above",
    "volumes[].host": "an empty one is what a volume is without it",
}
"""Members whose effect is not in how a task is placed and run."""


def paths(*handlings: contract.Handling) -> list[str]:
    return [member.path for member in MEMBERS if member.handling in handlings]


def family(path: str) -> str:
    return "m-" + re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-")


def register(stack: world.World, path: str) -> dict[str, Any]:
    """Register the specimen and describe it."""
    request = specimens.request(family(path), path)
    stack.ecs.register_task_definition(**request)
    answer = stack.ecs.describe_task_definition(taskDefinition=family(path), include=["TAGS"])
    shown: dict[str, Any] = answer["taskDefinition"] | {"tags": answer["tags"]}
    return shown


def beside(stack: world.World, path: str) -> dict[str, Any]:
    """The same without the member, described."""
    request = specimens.beside(f"{family(path)}-not", path)
    stack.ecs.register_task_definition(**request)
    shown: dict[str, Any] = stack.ecs.describe_task_definition(taskDefinition=request["family"])["taskDefinition"]
    return shown


def leaves(value: Any, steps: tuple[str, ...]) -> list[Any]:
    """Everything at a path."""
    for index, step in enumerate(steps):
        if isinstance(value, list):
            return [found for item in value for found in leaves(item, steps[index:])]
        if isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return []
    return [value]


@pytest.mark.parametrize("path", paths(contract.SUPPORTED, contract.STORED, contract.UNPLACEABLE))
def test_what_is_kept_is_shown_as_it_was_given(stack: world.World, path: str) -> None:
    given = leaves(specimens.request(family(path), path), specimens.top(path))
    assert given, "the specimen does not have the member"
    shown = leaves(register(stack, path), specimens.top(path))
    for value in given:
        assert any(_holds(found, value) for found in shown), f"{value} was given, and {shown} is shown"


def _holds(shown: Any, given: Any) -> bool:
    """Whether all that was given is shown; defaults may have been filled in beside it."""
    if isinstance(given, dict) and isinstance(shown, dict):
        return all(name in shown and _holds(shown[name], value) for name, value in given.items())
    if isinstance(given, list) and isinstance(shown, list):
        return len(given) == len(shown) and all(map(_holds, shown, given))
    return bool(shown == given)


@pytest.mark.parametrize(
    "path", [path for path in paths(contract.SUPPORTED) if path not in EVERY_DEFINITION.keys() | ELSEWHERE.keys()]
)
def test_what_is_supported_makes_a_difference_where_it_runs(stack: world.World, path: str) -> None:
    assert effects.of(register(stack, path)) != effects.of(beside(stack, path))


@pytest.mark.parametrize("path", paths(contract.STORED))
def test_what_is_stored_makes_no_difference(stack: world.World, path: str) -> None:
    assert effects.of(register(stack, path)) == effects.of(beside(stack, path))


@pytest.mark.parametrize("path", paths(contract.SUPPORTED, contract.STORED))
def test_what_is_not_refused_is_placed(stack: world.World, path: str) -> None:
    register(stack, path)
    answer = stack.ecs.run_task(taskDefinition=family(path))
    assert answer["failures"] == []
    for task in answer["tasks"]:
        stack.ecs.stop_task(task=task["taskArn"])


@pytest.mark.parametrize("path", paths(contract.UNPLACEABLE))
def test_what_is_refused_at_placement_is_refused_by_its_name(stack: world.World, path: str) -> None:
    described = register(stack, path)
    named = reasons(path)
    try:
        answer = stack.ecs.run_task(taskDefinition=family(path))
    except exceptions.ClientError as error:
        told = error.response["Error"]["Message"]
    else:
        assert answer["tasks"] == []
        assert {failure["reason"] for failure in answer["failures"]} == {"ATTRIBUTE"}
        told = " ".join(failure["detail"] for failure in answer["failures"])
        assert all(name in {each["name"] for each in described["requiresAttributes"]} for name in named)
    assert all(name in told for name in named), told


@pytest.mark.parametrize("path", paths(contract.REFUSED))
def test_what_is_refused_is_refused_by_its_name(stack: world.World, path: str) -> None:
    with pytest.raises(exceptions.ClientError) as caught:
        stack.ecs.register_task_definition(**specimens.request(family(path), path))
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert all(name in caught.value.response["Error"]["Message"] for name in reasons(path))


def reasons(path: str) -> list[str]:
    """What a refusal names: the words between backticks in the note of the member, or of what it stands in."""
    while True:
        note = BY_PATH[path].note
        if "`" in note:
            return re.findall(r"`([^`]+)`", note)
        path = path.rpartition(".")[0].removesuffix("[]").removesuffix("{}")


@pytest.mark.parametrize(
    ("member", "given", "named"),
    [
        ("runtimePlatform", {"runtimePlatform": {"cpuArchitecture": "ARM64"}}, "ecs.cpu-architecture=arm64"),
        (
            "runtimePlatform",
            {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
            "ecs.os-type=windows",
        ),
        (
            "containerDefinitions[].logConfiguration.logDriver",
            {"containerDefinitions": [specimens.MAIN | {"logConfiguration": {"logDriver": "journald"}}]},
            "com.amazonaws.ecs.capability.logging-driver.journald",
        ),
        (
            "containerDefinitions[].dockerSecurityOptions",
            {"containerDefinitions": [specimens.MAIN | {"dockerSecurityOptions": ["label:user:me"]}]},
            "com.amazonaws.ecs.capability.selinux",
        ),
    ],
)
def test_a_value_that_a_note_calls_refused_at_placement_is(
    stack: world.World, member: str, given: dict[str, Any], named: str
) -> None:
    assert (BY_PATH[member].handling, bool(BY_PATH[member].note)) == (contract.SUPPORTED, True)
    stack.ecs.register_task_definition(**specimens.request("by-value") | given)
    answer = stack.ecs.run_task(taskDefinition="by-value")
    assert (answer["tasks"], {failure["reason"] for failure in answer["failures"]}) == ([], {"ATTRIBUTE"})
    assert all(named in failure["detail"] for failure in answer["failures"])
