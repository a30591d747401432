"""How tags change, and how a revision is shown."""

import pytest

from longshore.registry import faults, tagging, views
from longshore.rpc import arns, errors
from longshore.storage import definitions
from longshore.v1 import common_pb2, task_definition_pb2

PLACE = arns.Place(account="210987654321", region="eu-west-1")


def _tags(**values: str) -> list[common_pb2.Tag]:
    return [common_pb2.Tag(key=key, value=value) for key, value in values.items()]


def test_added_tags_overwrite_values_and_keep_their_place() -> None:
    change = tagging.adding(_tags(b="3", c="4"))

    assert change(_tags(a="1", b="2")) == _tags(a="1", b="3", c="4")


def test_a_change_can_be_made_twice_with_one_outcome() -> None:
    change = tagging.adding(_tags(a="1"))

    assert change(change([])) == change([])


def test_more_tags_than_a_resource_can_have_are_refused_with_numbers() -> None:
    present = _tags(**{f"k{number}": "" for number in range(49)})

    assert len(tagging.adding(_tags(k0="", new=""))(present)) == 50
    with pytest.raises(errors.LimitExceededException, match=r"would have 51 tags; it can have 50"):
        tagging.adding(_tags(new="", newer=""))(present)


def test_removing_ignores_keys_that_are_not_there() -> None:
    assert tagging.removing({"a", "zzz"})(_tags(a="1", b="2")) == _tags(b="2")


def test_tags_come_out_of_their_column_as_they_went_in() -> None:
    assert tagging.unpacked(tagging.packed(_tags(a="1", b=""))) == _tags(a="1", b="")


def test_a_revision_is_shown_with_the_rows_status_and_times_in_the_callers_region() -> None:
    body = task_definition_pb2.TaskDefinition(family="site", revision=3, registered_by="ada")
    row = definitions.Definition(
        family="site",
        revision=3,
        status=task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS,
        registered_at=1_000_001,
        deregistered_at=2_000_000,
        delete_requested_at=3_500_000,
        body=body.SerializeToString(),
        tags=b"",
    )

    shown = views.definition(row, PLACE)

    assert shown.task_definition_arn == "arn:aws:ecs:eu-west-1:210987654321:task-definition/site:3"
    assert shown.registered_by == "arn:aws:iam::210987654321:user/ada"
    assert shown.status == task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS
    assert [
        (time.seconds, time.nanos) for time in (shown.registered_at, shown.deregistered_at, shown.delete_requested_at)
    ] == [(1, 1000), (2, 0), (3, 500_000_000)]


def test_a_principal_that_is_an_arn_is_shown_as_it_is() -> None:
    assert views.principal_arn("arn:aws:sts::1:assumed-role/a/b", PLACE) == "arn:aws:sts::1:assumed-role/a/b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "not given"), (True, "true"), ([1, 2], "a list of 2"), (7, "7"), ("x" * 100, "'" + "x" * 79 + "…")],
)
def test_values_are_shown_short(value: object, shown: str) -> None:
    assert faults.shown(value) == shown
