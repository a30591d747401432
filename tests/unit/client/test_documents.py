import json
from pathlib import Path
from typing import Any

import pytest

from longshore.client import documents
from longshore.rpc import codec, errors
from longshore.v1 import registry_service_pb2

EXAMPLES = Path(__file__).parents[3] / "examples"

REGISTRATION: dict[str, Any] = {
    "family": "web",
    "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64, "essential": True}],
    "tags": [{"key": "team", "value": "a"}],
}
"""As people write it."""

DESCRIBED: dict[str, Any] = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3",
        "family": "web",
        "revision": 3,
        "status": "ACTIVE",
        "registeredAt": 1700000000.5,
        "registeredBy": "arn:aws:iam::123456789012:root",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.17"}],
        "compatibilities": ["EC2"],
        "containerDefinitions": REGISTRATION["containerDefinitions"],
    },
    "tags": REGISTRATION["tags"],
}
"""As `describe` and the aws cli print it."""


def parsed(document: object, **options: str) -> documents.Document:
    return documents.parse(json.dumps(document), **options)


def faults_of(document: object, **options: str) -> str:
    with pytest.raises(errors.ClientException) as caught:
        parsed(document, **options)
    return caught.value.message


def test_a_registration_is_taken_as_it_is() -> None:
    document = parsed(REGISTRATION)
    assert document.request == codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, REGISTRATION)
    assert document.notice == ""


def test_what_describe_printed_is_the_same_registration_with_one_notice() -> None:
    document = parsed(DESCRIBED)
    assert document.request == parsed(REGISTRATION).request
    assert document.notice == (
        "left out what only answers have: compatibilities, registeredAt, registeredBy, requiresAttributes, revision, "
        "status, taskDefinitionArn"
    )


def test_what_was_inside_the_wrapper_is_taken_without_it() -> None:
    document = parsed(DESCRIBED["taskDefinition"])
    assert document.request.family == "web"
    assert document.notice.startswith("left out")


def test_every_member_that_ecs_writes_and_never_takes_is_left_out() -> None:
    dates = {"deregisteredAt", "deleteRequestedAt"}
    assert DESCRIBED["taskDefinition"].keys() - REGISTRATION.keys() | dates == documents.OUTPUT_ONLY


def test_tags_beside_the_wrapper_are_kept_and_an_empty_list_of_them_adds_nothing() -> None:
    assert [tag.key for tag in parsed(DESCRIBED).request.tags] == ["team"]
    assert not parsed(DESCRIBED | {"tags": []}).request.tags


def test_a_bare_list_of_containers_goes_with_a_family() -> None:
    document = parsed(REGISTRATION["containerDefinitions"], family="web")
    assert (document.request.family, document.request.container_definitions[0].name) == ("web", "web")


def test_a_bare_list_without_a_family_is_told_how_to_give_one() -> None:
    assert "--family" in faults_of([])


def test_a_family_given_beside_the_document_wins() -> None:
    assert parsed(REGISTRATION, family="other").request.family == "other"


def test_an_unknown_field_is_an_error_that_names_its_path_and_suggests_the_nearest() -> None:
    container = {"name": "a", "image": "b", "memry": 1}
    message = faults_of({"family": "x", "containerDefinitions": [container]})
    assert "containerDefinitions[0]" in message
    assert "'memry'" in message
    assert "memory" in message


def test_an_unknown_field_beside_the_wrapper_is_not_dropped_in_silence() -> None:
    assert "'famly'" in faults_of(DESCRIBED | {"famly": "x"})


def test_several_faults_are_told_together() -> None:
    message = faults_of({"famly": "x", "containerDefinitions": [{"name": 1}]})
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "not json", "{", '{"family": "a", "family": "b"}'])
def test_what_is_no_json_is_an_error_of_the_client(text: str) -> None:
    with pytest.raises(errors.ClientException):
        documents.parse(text)


@pytest.mark.parametrize("text", ["1", "null", '"web"', "true"])
def test_what_is_no_object_is_told_so(text: str) -> None:
    with pytest.raises(errors.ClientException, match="is a JSON object"):
        documents.parse(text)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_every_example_is_a_document(path: Path) -> None:
    assert documents.parse(path.read_text()).notice == ""
