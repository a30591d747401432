"""What the codec takes, what it refuses, and how it says so."""

import copy
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.v1 import (
    cluster_pb2,
    common_pb2,
    event_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)

Register = registry_service_pb2.RegisterTaskDefinitionRequest

pytestmark = pytest.mark.unit


def faults(kind: Any, document: object) -> list[tuple[str, str]]:
    with pytest.raises(codec.CodecError) as refused:
        codec.from_json(kind, document)
    return [(fault.path, fault.problem) for fault in refused.value.faults]


def in_container(**members: Any) -> dict[str, Any]:
    return {"family": "web", "containerDefinitions": [{"name": "app"}, members]}


def test_reads_a_definition_into_the_message_that_says_the_same() -> None:
    request = codec.from_json(
        Register,
        {
            "family": "web",
            "networkMode": "bridge",
            "cpu": "256",
            "containerDefinitions": [
                {
                    "name": "app",
                    "memory": 128,
                    "essential": False,
                    "command": ["sh", "-c", "exit 3"],
                    "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
                    "environment": [{"name": "MODE", "value": ""}],
                    "dockerLabels": {"com.example.Team": "blue"},
                    "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "10m"}},
                }
            ],
        },
    )
    expected = Register(
        family="web",
        network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE,
        cpu="256",
        container_definitions=[
            task_definition_pb2.ContainerDefinition(
                name="app",
                memory=128,
                essential=False,
                command=common_pb2.StringList(values=["sh", "-c", "exit 3"]),
                port_mappings=[
                    task_definition_pb2.PortMapping(
                        container_port=80, host_port=0, protocol=task_definition_pb2.TRANSPORT_PROTOCOL_TCP
                    )
                ],
                environment=[common_pb2.KeyValuePair(name="MODE", value="")],
                docker_labels={"com.example.Team": "blue"},
                log_configuration=task_definition_pb2.LogConfiguration(
                    log_driver="json-file", options={"max-size": "10m"}
                ),
            )
        ],
    )
    assert request == expected


def test_reads_text_and_bytes_alike_with_or_without_a_byte_order_mark() -> None:
    expected = Register(family="wéb")
    for document in ('{"family":"wéb"}', '\ufeff{"family":"wéb"}', '{"family":"wéb"}'.encode("utf-8-sig")):
        assert codec.from_json(Register, document) == expected


@pytest.mark.parametrize(
    ("members", "path", "problem"),
    [
        (
            {"portMappings": [{}, {"hostPort": "80"}]},
            ".portMappings[1].hostPort",
            'expected a number, got a string "80"',
        ),
        ({"memory": 1.0}, ".memory", "expected a whole number, got the number 1.0"),
        ({"memory": True}, ".memory", "expected a number, got true"),
        ({"memory": {}}, ".memory", "expected a number, got an object"),
        ({"essential": "true"}, ".essential", 'expected true or false, got a string "true"'),
        ({"essential": 1}, ".essential", "expected true or false, got the number 1"),
        ({"image": 3}, ".image", "expected a string, got a number"),
        ({"image": ["x"]}, ".image", "expected a string, got a list"),
        ({"image": "\ud83d"}, ".image", "not valid Unicode: half of a surrogate pair"),
        ({"command": "sleep 1"}, ".command", "expected a list, got a string"),
        ({"command": ["a", None]}, ".command[1]", "expected a string, got null"),
        ({"links": {"a": "b"}}, ".links", "expected a list, got an object"),
        ({"portMappings": [None]}, ".portMappings[0]", "expected an object, got null"),
        ({"portMappings": [7]}, ".portMappings[0]", "expected an object, got a number"),
        ({"healthCheck": []}, ".healthCheck", "expected an object, got a list"),
        ({"dockerLabels": {"a.b": 4}}, '.dockerLabels["a.b"]', "expected a string, got a number"),
        ({"dockerLabels": {"team": None}}, ".dockerLabels.team", "expected a string, got null"),
        ({"dockerLabels": {"\udc00": "x"}}, ".dockerLabels", "not valid Unicode: half of a surrogate pair"),
        ({"dockerLabels": ["a"]}, ".dockerLabels", "expected an object, got a list"),
        ({"cpu": 2**31}, ".cpu", "expected a number from -2147483648 to 2147483647, got the number 2147483648"),
        ({"cpu": -(2**31) - 1}, ".cpu", "expected a number from -2147483648 to 2147483647, got the number -2147483649"),
        ({"memry": 5}, "", "unknown member 'memry'; did you mean 'memory'?"),
        ({"memory_reservation": 5}, "", "unknown member 'memory_reservation'; did you mean 'memoryReservation'?"),
        ({"Image": "x"}, "", "unknown member 'Image'; did you mean 'image'?"),
        ({"quux": 5}, "", "unknown member 'quux'"),
        ({"x\ny" * 40: 5}, "", "unknown member '" + ("x\\ny" * 40)[:80] + "...'"),
    ],
)
def test_names_the_path_and_the_problem(members: dict[str, Any], path: str, problem: str) -> None:
    assert faults(Register, in_container(**members)) == [(f"containerDefinitions[1]{path}", problem)]


def test_an_unknown_word_of_an_enum_names_the_nearest_and_lists_all() -> None:
    assert faults(Register, {"networkMode": "bridged", "pidMode": "x" * 9, "ipcMode": 3}) == [
        ("networkMode", "unknown value 'bridged'; did you mean 'bridge'? (allowed: bridge, host, awsvpc, none)"),
        ("pidMode", "unknown value 'xxxxxxxxx' (allowed: host, task)"),
        ("ipcMode", "expected a string, got the number 3"),
    ]


@pytest.mark.parametrize("word", ["NETWORK_MODE_BRIDGE", "BRIDGE", "UNSPECIFIED", "NETWORK_MODE_UNSPECIFIED", "", "1"])
def test_an_enum_is_taken_in_ecs_spelling_only(word: str) -> None:
    assert [path for path, _ in faults(Register, {"networkMode": word})] == ["networkMode"]


def test_all_faults_are_told_together_and_nothing_is_half_done() -> None:
    request = Register(family="before")
    with pytest.raises(codec.CodecError) as refused:
        codec.from_json(request, {"family": 1, "cpu": 256, "volumes": [{"nam": "x"}]})
    assert str(refused.value).splitlines() == [
        "family: expected a string, got a number",
        "cpu: expected a string, got a number",
        "volumes[0]: unknown member 'nam'; did you mean 'name'?",
    ]
    assert request == Register(family="before")


def test_a_refusal_is_ecs_client_exception_and_carries_the_suggestions_as_data() -> None:
    with pytest.raises(errors.ClientException) as refused:
        codec.from_json(Register, {"famly": "web", "networkMode": "Host"})
    assert refused.value.reason == "ClientException"
    assert refused.value.metadata == {"did_you_mean": "family, host"}
    assert isinstance(refused.value, codec.CodecError)
    assert [fault.suggestion for fault in refused.value.faults] == ["family", "host"]


def test_the_number_of_faults_told_is_bounded() -> None:
    with pytest.raises(codec.CodecError) as refused:
        codec.from_json(Register, {"containerDefinitions": [1] * 100_000})
    assert len(refused.value.faults) == 20
    assert str(refused.value).endswith("and more")


def test_a_value_that_may_be_secret_is_never_repeated() -> None:
    hidden = 31_337_000_111
    environment = [{"name": "TOKEN", "value": hidden}, {"name": "TOKEN", "value": [str(hidden)]}]
    for document in (in_container(environment=environment), in_container(environment=[{"name": hidden}])):
        with pytest.raises(codec.CodecError) as refused:
            codec.from_json(Register, document)
        assert str(hidden) not in str(refused.value) + repr(refused.value) + str(refused.value.metadata)


def test_null_is_absent() -> None:
    document = {"family": None, "networkMode": None, "volumes": None, "containerDefinitions": [{"command": None}]}
    request = codec.from_json(Register, document)
    assert request == Register(container_definitions=[task_definition_pb2.ContainerDefinition()])
    assert not request.HasField("family")
    assert not request.container_definitions[0].HasField("command")


def test_absent_is_kept_apart_from_zero_and_from_empty() -> None:
    absent, zero = codec.from_json(
        Register, {"containerDefinitions": [{}, {"cpu": 0, "essential": False, "command": []}]}
    ).container_definitions
    assert [absent.HasField(name) for name in ("cpu", "essential", "command")] == [False, False, False]
    assert [zero.HasField(name) for name in ("cpu", "essential", "command")] == [True, True, True]
    assert list(zero.command.values) == []


def test_64_bit_numbers_are_taken_to_their_bounds() -> None:
    for number in (2**63 - 1, -(2**63)):
        assert codec.from_json(common_pb2.Resource, {"longValue": number}).long_value == number
    assert faults(common_pb2.Resource, {"longValue": 2**63}) == [
        ("longValue", f"expected a number from {-(2**63)} to {2**63 - 1}, got the number {2**63}")
    ]
    assert faults(common_pb2.Resource, {"longValue": 1e3}) == [
        ("longValue", "expected a whole number, got the number 1000.0")
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_a_double_is_finite(number: float) -> None:
    assert faults(common_pb2.Resource, {"doubleValue": number}) == [("doubleValue", "expected a finite number")]


def test_a_double_may_be_written_as_a_whole_number() -> None:
    assert codec.from_json(common_pb2.Resource, {"doubleValue": 3}).double_value == 3.0


@pytest.mark.parametrize(
    ("seconds", "whole", "nanos"),
    [
        (1_763_835_890, 1_763_835_890, 0),
        (1_763_835_890.123456, 1_763_835_890, 123_456_000),
        (0.000_001, 0, 1_000),
        (-0.25, -1, 750_000_000),
        (253_402_300_799.999_9, 253_402_300_799, 999_900_000),
        (253_402_300_800, 253_402_300_799, 999_999_000),
    ],
)
def test_times_are_epoch_seconds_to_the_microsecond(seconds: float, whole: int, nanos: int) -> None:
    started = codec.from_json(task_pb2.Task, {"startedAt": seconds}).started_at
    assert started.seconds == whole
    assert started.nanos == pytest.approx(nanos, abs=20_000 if seconds > 1e11 else 0)


@pytest.mark.parametrize(
    "seconds", ["2025-11-22T18:00:00Z", True, float("nan"), float("inf"), 1e12, -1e12, 10**400, {}]
)
def test_a_time_that_is_none_is_refused(seconds: object) -> None:
    assert [path for path, _ in faults(task_pb2.Task, {"startedAt": seconds})] == ["startedAt"]


def test_longshores_own_members_are_unknown_unless_asked_for() -> None:
    request = state_tracker_service_pb2.RegisterContainerInstanceRequest
    document = {"instanceCredential": "hidden"}
    with pytest.raises(codec.CodecError, match="unknown member 'instanceCredential'") as refused:
        codec.from_json(request, document)
    assert "hidden" not in str(refused.value)
    assert codec.from_json(request, document, longshore_only=True).instance_credential == "hidden"
    assert codec.from_json(scheduler_service_pb2.RunTaskResponse, {"cursor": "c"}, longshore_only=True).cursor == "c"


def test_members_that_exclude_each_other_are_told() -> None:
    alternatives = [field.json_name for field in event_pb2.Event.DESCRIPTOR.oneofs_by_name["change"].fields]
    first, second = alternatives[:2]
    assert faults(event_pb2.Event, {first: {}, second: {}}) == [(second, f"excludes '{first}', which is given too")]


@pytest.mark.parametrize("document", [None, 3, "3", [], "[]", "null", '"x"', True])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    ((path, problem),) = faults(cluster_pb2.Cluster, document)
    assert path == ""
    assert problem.startswith("expected an object, got ")


def test_an_instance_is_overwritten_and_returned_and_the_document_is_left_alone() -> None:
    document = {"clusterName": "a", "settings": [{"name": "containerInsights", "value": "disabled"}]}
    before = copy.deepcopy(document)
    cluster = cluster_pb2.Cluster(cluster_arn="gone", settings=[cluster_pb2.ClusterSetting(name="gone")])
    assert codec.from_json(cluster, document) is cluster
    assert cluster == cluster_pb2.Cluster(
        cluster_name="a", settings=[cluster_pb2.ClusterSetting(name="containerInsights", value="disabled")]
    )
    assert document == before


def test_a_member_name_that_is_no_string_is_refused() -> None:
    assert faults(cluster_pb2.Cluster, {3: "x"}) == [("", "a member's name is a string, got a number")]
