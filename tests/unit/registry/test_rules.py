"""Each rule is broken by a definition of its own, which is told in full; and together they are told together."""

import json
import re

import botocore.loaders
import pytest

from longshore.registry import rules, rules_linux, rules_storage
from longshore.rpc import arns, errors, status
from longshore.v1 import registry_service_pb2
from tests.unit.registry import cases, cases_container, cases_host, cases_task

ALL = (*cases_task.CASES, *cases_container.CASES, *cases_host.CASES)

WITHOUT_JSON = {"words-known"}
"""Rules that no JSON document can break, because the codec refuses it first. They have tests of their own below."""


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.rule)
def test_a_broken_rule_is_told_with_container_field_value_and_rule(case: cases.Case) -> None:
    found = rules.faults_of(cases.request(case.definition))

    assert tuple(fault.message for fault in found if fault.rule == case.rule) == case.messages
    assert {fault.rule for fault in found} == {case.rule} | case.also


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in ALL} | WITHOUT_JSON == set(rules.NAMES)


def test_no_two_rules_have_one_name() -> None:
    assert len(set(rules.NAMES)) == len(rules.NAMES)


def test_a_plain_definition_breaks_no_rule() -> None:
    assert rules.faults_of(cases.request(cases.task())) == ()


def test_an_enum_number_that_ecs_has_no_word_for_is_refused() -> None:
    request = cases.request(cases.task(cases.container(portMappings=[{"containerPort": 80}])))
    request.container_definitions[0].port_mappings[0].ParseFromString(b"\x08\x50\x18\x63")  # protocol 99

    (fault,) = rules.faults_of(request)

    assert fault.message == (
        "Invalid setting for the task definition: containerDefinitions[0].portMappings[0].protocol is 99; it must be one of ECS's"
        " values: tcp, udp."
    )


def test_all_faults_of_a_definition_are_told_in_one_error() -> None:
    request = cases.request(
        cases.task(
            cases.container(image=None, portMappings=[{"containerPort": 0}]),
            cases.container(name="side", cpu=-1),
            family="my site",
            volumes=[{"name": "a b"}],
            tags=[{"key": "aws:x"}],
        )
    )

    with pytest.raises(errors.ClientException) as caught:
        rules.check(request)

    assert caught.value.message == (
        "6 faults."
        " (1) Invalid setting for the task definition: family is 'my site'; it must be at most 255 letters, digits, hyphens and"
        " underscores."
        " (2) Container.image should not be null or empty."
        " (3) Invalid setting for container 'web': portMappings[0].containerPort is 0; it must be between 1 and 65535."
        " (4) Invalid setting for container 'side': cpu is -1; it must not be negative."
        " (5) Invalid setting for volume 'a b': name is 'a b'; it must be at most 255 letters, digits, hyphens and underscores."
        " (6) Invalid setting for the tags: tags[0].key is 'aws:x'; it must not begin with 'aws:', in whatever case."
    )
    assert caught.value.metadata == {
        "faults": "6",
        "fault_1": "family-name family",
        "fault_2": "container-image-required containerDefinitions[0].image",
        "fault_3": "container-port containerDefinitions[0].portMappings[0].containerPort",
        "fault_4": "container-cpu containerDefinitions[1].cpu",
        "fault_5": "volume-name volumes[0].name",
        "fault_6": "tag-key-reserved tags[0].key",
    }


def test_more_faults_than_a_message_holds_are_counted_and_fit_the_wire() -> None:
    mappings = [{"containerPort": 70_000 + number} for number in range(200)]
    request = cases.request(cases.task(cases.container(portMappings=mappings)))

    with pytest.raises(errors.ClientException) as caught:
        rules.check(request)
    sent = status.from_proto(status.to_proto(caught.value))

    told = caught.value.message.count("it must be between")
    assert caught.value.message.startswith("200 faults. (1) ")
    assert caught.value.message.endswith(f" … and {200 - told} more.")
    assert sent.message == caught.value.message
    assert sent.metadata == caught.value.metadata


def test_the_value_of_a_variable_is_in_no_message() -> None:
    variable = {"name": "A=B", "value": "hunter2"}
    request = cases.request(cases.task(cases.container(environment=[variable, {"value": "hunter2"}])))

    assert "hunter2" not in str(rules.faults_of(request))


def test_a_definition_of_ten_megabytes_is_refused_for_its_size_alone() -> None:
    request = cases.request(cases.task(cases.container(image=None, environment=[{"name": "A", "value": "x"}])))
    request.container_definitions[0].environment[0].value = "x" * 10_000_000

    (fault,) = rules.faults_of(request)

    assert fault.rule == "definition-size"
    assert re.search(r"its size is 10000\d{3} bytes; it must be at most 65536 bytes as JSON", fault.message)


def test_of_too_many_containers_only_so_many_are_looked_at() -> None:
    containers = [cases.container(name=f"c{number}", cpu=-1) for number in range(20)]

    found = [fault.rule for fault in rules.faults_of(cases.request(cases.task(*containers)))]

    assert found == ["containers-count", *["container-cpu"] * 10]


def test_an_unset_mode_counts_as_bridge_for_rules_that_depend_on_it() -> None:
    linked = cases.task(cases.container(links=["db"]), cases.container(name="db"))

    assert rules.faults_of(cases.request(linked)) == ()


def test_an_empty_host_beside_the_real_kind_of_a_volume_is_no_second_kind() -> None:
    volume = {
        "name": "data",
        "host": {},
        "efsVolumeConfiguration": {"fileSystemId": "fs-1"},
        "configuredAtLaunch": False,
    }

    assert rules.faults_of(cases.request(cases.task(volumes=[volume]))) == ()


@pytest.mark.parametrize("family", ["web", "9", "a_b-c", "x" * 255, "_web", "-web", "", "a.b", "x" * 256, "wéb"])
def test_a_family_can_be_registered_exactly_when_it_can_be_named(family: str) -> None:
    refused = bool(rules.faults_of(cases.request(cases.task(family=family))))
    try:
        named = bool(family) and arns.task_definition(family).name == family
    except errors.ServiceError:
        named = False

    assert refused is not named


@pytest.mark.parametrize(
    ("shape", "member", "ours"),
    [
        ("KernelCapabilities", "add", rules_linux.CAPABILITIES),
        ("Tmpfs", "mountOptions", rules_storage.TMPFS_OPTIONS),
    ],
)
def test_words_that_are_no_enum_are_those_of_the_published_model(shape: str, member: str, ours: frozenset[str]) -> None:
    model = botocore.loaders.Loader().load_service_model("ecs", "service-2")
    documentation = model["shapes"][shape]["members"][member]["documentation"]

    assert set(re.findall(r'"([A-Za-z_]+)"', documentation.partition("Valid values:")[2])) == ours


def test_a_request_of_json_without_a_family_is_refused_like_one_over_grpc() -> None:
    empty = registry_service_pb2.RegisterTaskDefinitionRequest()

    assert json.dumps([fault.message for fault in rules.faults_of(empty)]) == json.dumps(
        ["Family should not be null or empty.", "Container list cannot be empty."]
    )
