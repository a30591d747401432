"""Events as server-sent messages."""

import json
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from longshore.client import client as clients
from longshore.gateway import event_messages, wire
from longshore.rpc import arns, errors
from longshore.v1 import event_pb2, options_pb2, task_pb2

PLACE = arns.Place(account="123456789012", region="eu-west-1")
TASK, INSTANCE = "a" * 32, "b" * 32
POSITION = event_messages.Position


def task_event(sequence: int) -> event_pb2.Event:
    """A change of a task."""
    event = event_pb2.Event(sequence=sequence, request_id="r", principal="local-admin")
    event.at.FromMilliseconds(1_700_000_000_250)
    event.task.MergeFrom(
        event_pb2.TaskEvent(
            task_id=TASK,
            container_instance_id=INSTANCE,
            family="web",
            revision=3,
            version=2,
            last_status=task_pb2.TASK_STATUS_STOPPED,
            stopped_reason="line one\nline two",
            containers=[event_pb2.ContainerObservation(name="app", exit_code=0)],
        )
    )
    return event


def instance_event(sequence: int) -> event_pb2.Event:
    """A change of an instance."""
    change = event_pb2.ContainerInstanceEvent(container_instance_id=INSTANCE, version=1, agent_connected=True)
    return event_pb2.Event(sequence=sequence, container_instance=change)


def written(batch: clients.Batch, before: event_messages.Position) -> list[list[str]]:
    """The messages of a batch, each as its lines."""
    messages = event_messages.messages(batch, before, cluster="shop", place=PLACE)
    return [message.decode().removesuffix("\n\n").split("\n") for message in messages]


def asked(query: str = "", **headers: str) -> event_messages.Asked:
    """What a request asks for; underscores of a header's name are dashes."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return event_messages.asked(wire.Request("GET", "/events", query, named, b""))


def test_an_event_is_one_line_of_json_with_arns_where_ecs_has_them() -> None:
    ((kind, identifier, data),) = written(clients.Batch("next", (task_event(7),)), POSITION("here"))
    assert (kind, identifier) == ("event: task", "id: next")
    prefix = "arn:aws:ecs:eu-west-1:123456789012"
    assert json.loads(data.removeprefix("data: ")) == {
        "sequence": 7,
        "at": 1_700_000_000.25,
        "requestId": "r",
        "principal": "local-admin",
        "task": {
            "clusterArn": f"{prefix}:cluster/shop",
            "taskArn": f"{prefix}:task/shop/{TASK}",
            "containerInstanceArn": f"{prefix}:container-instance/shop/{INSTANCE}",
            "taskDefinitionArn": f"{prefix}:task-definition/web:3",
            "version": 2,
            "lastStatus": "STOPPED",
            "stoppedReason": "line one\nline two",
            "containers": [{"name": "app", "exitCode": 0}],
        },
    }


def test_an_instance_s_event_is_of_its_own_kind() -> None:
    ((kind, _, data),) = written(clients.Batch("next", (instance_event(1),)), POSITION("here"))
    assert kind == "event: container-instance"
    change = json.loads(data.removeprefix("data: "))["containerInstance"]
    assert change["containerInstanceArn"].endswith(f":container-instance/shop/{INSTANCE}")
    assert "containerInstanceId" not in change


def test_within_a_batch_an_id_is_the_cursor_before_it_and_the_event_s_number() -> None:
    batch = clients.Batch("next", (task_event(4), task_event(5), task_event(9)))
    assert [lines[1] for lines in written(batch, POSITION("here"))] == ["id: here.4", "id: here.5", "id: next"]


def test_what_is_known_is_left_out() -> None:
    batch = clients.Batch("next", (task_event(4), task_event(5), task_event(9)))
    assert [lines[1] for lines in written(batch, POSITION("here", 5))] == ["id: next"]


def test_a_batch_without_news_moves_the_position_on_and_dispatches_nothing() -> None:
    assert written(clients.Batch("next", ()), POSITION("here")) == [["id: next"]]
    assert written(clients.Batch("next", ()), POSITION("here", 5)) == [["id: next.5"]]
    assert written(clients.Batch("next", (task_event(4),)), POSITION("here", 5)) == [["id: next.5"]]


def test_the_position_after_a_batch_keeps_the_number_only_until_the_cursor_is_past_it() -> None:
    assert event_messages.after(clients.Batch("n", (task_event(4),)), POSITION("here", 5)) == POSITION("n", 5)
    assert event_messages.after(clients.Batch("n", (task_event(5),)), POSITION("here", 5)) == POSITION("n")


def test_a_stream_begins_with_its_position() -> None:
    assert event_messages.greeting(POSITION("here", 3)) == b"retry: 2000\nid: here.3\n\n"


def test_reads_every_filter() -> None:
    query = "cluster=shop&family=web&task=t1&task=t%2F2&container-instance=i&X-Amz-Signature=00&X-Amz-Date=x"
    assert asked(query) == event_messages.Asked("shop", "web", ("t1", "t/2"), ("i",), POSITION())


def test_the_header_of_a_browser_that_comes_back_wins_over_its_url() -> None:
    assert asked("last_event_id=old.3").position == POSITION("old", 3)
    assert asked("last_event_id=old.3", last_event_id="new.7").position == POSITION("new", 7)
    assert asked("last_event_id=", last_event_id="").position == POSITION()


@pytest.mark.parametrize(
    "query",
    [
        "clutser=web",
        "cluster=a&cluster=b",
        "family=a&family=b",
        "cluster=%00",
        "cluster=%ff",
        "&".join(["task=t"] * 300),
    ],
)
def test_refuses_what_it_does_not_understand(query: str) -> None:
    with pytest.raises(errors.InvalidParameterException):
        asked(query)


@pytest.mark.parametrize("position", ["a b", "a.", ".5", "a.b", "a.-1", "a.1.2", "x" * 513, "a." + "9" * 19, "é"])
def test_refuses_a_position_that_it_never_gave(position: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match="Last-Event-ID"):
        asked(last_event_id=position)


def test_no_event_has_a_field_that_is_never_to_be_shown() -> None:
    seen: set[str] = set()

    def sensitive(descriptor: Descriptor) -> list[str]:
        if descriptor.full_name in seen:
            return []
        seen.add(descriptor.full_name)
        found: list[str] = []
        for field in descriptor.fields:
            options: Any = field.GetOptions()
            if options.Extensions[options_pb2.sensitive]:
                found.append(field.full_name)
            if field.message_type is not None:
                found += sensitive(field.message_type)
        return found

    assert sensitive(event_pb2.Event.DESCRIPTOR) == []
    assert "longshore.v1.ContainerObservation" in seen
