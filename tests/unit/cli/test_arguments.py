import pytest
import typer

from longshore.cli import arguments
from longshore.v1 import common_pb2, task_pb2


def test_a_pair_is_split_at_its_first_equals_sign() -> None:
    assert arguments.pair("A=b=c", "--env") == ("A", "b=c")
    assert arguments.pair("A=", "--env") == ("A", "")


@pytest.mark.parametrize("text", ["A", "=b", ""])
def test_what_is_no_pair_is_wrong_usage_that_names_the_option(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--env takes NAME=VALUE"):
        arguments.pair(text, "--env")


def test_tags_are_pairs() -> None:
    assert arguments.tags(["a=1"]) == [common_pb2.Tag(key="a", value="1")]
    assert arguments.tags(None) == []


def test_enums_are_spelled_as_ecs_does() -> None:
    assert arguments.spelled(task_pb2.TaskStatus, task_pb2.TASK_STATUS_RUNNING) == "RUNNING"
    assert arguments.spelled(task_pb2.TaskStopCode, task_pb2.TASK_STOP_CODE_USER_INITIATED) == "UserInitiated"
    assert arguments.spelled(task_pb2.TaskStatus, 0) == ""
    assert arguments.spelled(task_pb2.TaskStatus, 99) == "99", "a later release's"
