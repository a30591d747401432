"""What a program names becomes a definition, a request is filled, and an answer becomes a typed result."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.client import results, running
from longshore.rpc import errors
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    task_definition_pb2,
    task_pb2,
)

HELLO = {"family": "hello", "containerDefinitions": [{"name": "hello", "image": "busybox", "memory": 16}]}
ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/"


def definition(*containers: str, **members: Any) -> task_definition_pb2.TaskDefinition:
    made = [task_definition_pb2.ContainerDefinition(name=name) for name in containers]
    return task_definition_pb2.TaskDefinition(family="web", revision=3, container_definitions=made, **members)


@pytest.mark.parametrize(
    ("target", "is_file"),
    [
        ("web.json", True),
        ("./web", True),
        ("defs/web", True),
        ("web", False),
        ("web:3", False),
        ("arn:aws:ecs:us-east-1:123456789012:task-definition/web:3", False),
    ],
)
def test_a_target_is_a_file_by_its_looks(target: str, *, is_file: bool) -> None:
    assert running.is_file(target) is is_file


def test_a_target_that_exists_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web").touch()
    assert running.is_file("web")


def test_a_definition_may_be_a_file_a_path_a_mapping_or_a_message(tmp_path: Path) -> None:
    file = tmp_path / "hello.json"
    file.write_text(json.dumps(HELLO))
    made = running.registration(HELLO)
    assert made is not None
    assert made.family == "hello"
    for target in (str(file), file, made):
        assert running.registration(target) == made
    assert running.registration("hello") is None


def test_a_file_that_is_none_is_named_with_its_fault(tmp_path: Path) -> None:
    file = tmp_path / "faulty.json"
    file.write_text('{"famly": "web"}')
    with pytest.raises(errors.ClientException, match=r"faulty\.json is not a task definition.*family"):
        running.registration(file)


def test_a_request_says_what_was_wished_and_nothing_else() -> None:
    bare = running.fill(scheduler_service_pb2.RunTaskRequest(), definition("web"), running.Options())
    assert bare == scheduler_service_pb2.RunTaskRequest(task_definition="web:3")

    options = running.Options(
        cluster="blue", env={"A": "1"}, command=["sleep", "9"], started_by="me", group="g", tags={"team": "web"}
    )
    full = running.fill(scheduler_service_pb2.StartTaskRequest(), definition("web"), options)
    (override,) = full.overrides.container_overrides
    assert (full.cluster, full.started_by, full.group) == ("blue", "me", "g")
    assert list(full.tags) == [common_pb2.Tag(key="team", value="web")]
    assert (override.name, override.environment[0].name, override.environment[0].value) == ("web", "A", "1")
    assert list(override.command.values) == ["sleep", "9"]


def test_variables_are_laid_over_overrides_given_whole() -> None:
    overrides = {"cpu": "256", "containerOverrides": [{"name": "web", "memory": 32}]}
    made = running.overridden(["web", "side"], running.Options(env={"A": "1"}, container="web", overrides=overrides))
    assert made is not None
    (override,) = made.container_overrides
    assert (made.cpu, override.memory, override.environment[0].name) == ("256", 32, "A")


def test_of_several_containers_one_has_to_be_named() -> None:
    with pytest.raises(errors.InvalidParameterException, match="one of: web, side"):
        running.overridden(["web", "side"], running.Options(env={"A": "1"}))
    with pytest.raises(errors.InvalidParameterException, match="not db"):
        running.overridden(["web"], running.Options(env={"A": "1"}, container="db"))


def test_a_task_of_network_mode_awsvpc_gets_the_settings_that_ecs_requires() -> None:
    made = running.fill(
        scheduler_service_pb2.RunTaskRequest(),
        definition("web", network_mode=task_definition_pb2.NETWORK_MODE_AWSVPC),
        running.Options(),
    )
    assert made.network_configuration.HasField("awsvpc_configuration")


def test_what_was_placed_is_a_result_and_what_was_not_is_in_its_failures() -> None:
    failure = common_pb2.Failure(arn="arn:b", reason="RESOURCE:CPU", detail="needs 9")
    task = task_pb2.Task(task_arn=f"{ARN}{'a' * 32}", version=1, last_status=task_pb2.TASK_STATUS_PENDING)
    answer = scheduler_service_pb2.RunTaskResponse(tasks=[task], failures=[failure], cursor="c")
    made = running.placed(definition("web"), "blue", answer)
    assert (made.task.task_id, made.task.last_status, made.task.cluster) == ("a" * 32, "PENDING", "blue")
    assert (made.exit_code, made.reason, made.cursor) == (None, "", "c")
    assert made.failures == (results.Failure("arn:b", "RESOURCE:CPU", "needs 9"),)


def test_where_nothing_was_placed_the_refusal_says_why_with_the_numbers() -> None:
    failure = common_pb2.Failure(arn="arn:b", reason="RESOURCE:CPU", detail="needs 131072 CPU units, 9 free")
    with pytest.raises(results.NotPlacedError, match="RESOURCE:CPU arn:b needs 131072 CPU units, 9 free") as caught:
        running.placed(definition("web"), "", scheduler_service_pb2.RunTaskResponse(failures=[failure]))
    assert caught.value.reason == "RESOURCE:CPU"


def test_a_registration_given_as_a_message_is_taken_as_it_is() -> None:
    request = registry_service_pb2.RegisterTaskDefinitionRequest(family="web")
    assert running.registration(request) is request
