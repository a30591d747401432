"""What holds for every definition, sensible or not."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.registry import compatibilities, defaults, faults, requires_attributes, rules, subjects
from longshore.rpc import codec, errors, sizes, status
from longshore.v1 import registry_service_pb2, task_definition_pb2

NAMES = st.sampled_from(["", "a", "b", "web", "data", "a b", "x" * 300])
NUMBERS = st.sampled_from([-1, 0, 1, 80, 128, 8080, 65535, 65536])
AMOUNTS = st.sampled_from(["256", "1 vCPU", ".5 vcpu", "0", "-1", "1GB", "0.5 GB", "x", "", "٣"])


def _message(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


MAPPINGS = _message(
    {
        "containerPort": NUMBERS,
        "hostPort": NUMBERS,
        "protocol": st.sampled_from(["tcp", "udp"]),
        "containerPortRange": st.sampled_from(["80-90", "90-80", "1-65535", "x"]),
    }
)
CONTAINERS = _message(
    {
        "name": NAMES,
        "image": NAMES,
        "cpu": NUMBERS,
        "memory": NUMBERS,
        "memoryReservation": NUMBERS,
        "essential": st.booleans(),
        "privileged": st.booleans(),
        "portMappings": st.lists(MAPPINGS, max_size=3),
        "links": st.lists(NAMES, max_size=2),
        "command": st.lists(st.text(max_size=3), max_size=2),
        "dependsOn": st.lists(
            _message({"containerName": NAMES, "condition": st.sampled_from(["START", "SUCCESS", "HEALTHY"])}),
            max_size=3,
        ),
        "volumesFrom": st.lists(_message({"sourceContainer": NAMES}), max_size=2),
        "healthCheck": _message({"command": st.lists(NAMES, max_size=2), "interval": NUMBERS}),
        "linuxParameters": _message(
            {"swappiness": NUMBERS, "tmpfs": st.lists(_message({"size": NUMBERS}), max_size=2)}
        ),
    }
)
VOLUMES = _message(
    {
        "name": NAMES,
        "host": _message({"sourcePath": NAMES}),
        "dockerVolumeConfiguration": _message({"autoprovision": st.booleans(), "driver": NAMES}),
        "efsVolumeConfiguration": _message({"fileSystemId": NAMES}),
        "configuredAtLaunch": st.booleans(),
    }
)
DEFINITIONS = _message(
    {
        "family": NAMES,
        "cpu": AMOUNTS,
        "memory": AMOUNTS,
        "networkMode": st.sampled_from(["bridge", "host", "awsvpc", "none"]),
        "requiresCompatibilities": st.lists(st.sampled_from(["EC2", "FARGATE", "EXTERNAL"]), max_size=3),
        "containerDefinitions": st.lists(CONTAINERS, max_size=4),
        "volumes": st.lists(VOLUMES, max_size=3),
        "tags": st.lists(_message({"key": NAMES, "value": NAMES}), max_size=3),
    }
).map(lambda whole: codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, whole))

SENSIBLE_CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcd"), "image": st.just("i"), "memory": st.integers(1, 64)},
        optional={
            "cpu": st.integers(0, 32),
            "essential": st.just(True),
            "portMappings": st.lists(
                _message({"protocol": st.sampled_from(["tcp", "udp"]), "name": st.just("http")}).flatmap(
                    lambda mapping: st.integers(1, 65535).map(lambda port: mapping | {"containerPort": port})
                ),
                max_size=3,
                unique_by=lambda mapping: mapping["containerPort"],
            ),
            "healthCheck": st.just({"command": ["CMD", "true"]}),
            "restartPolicy": st.just({"enabled": True}),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda container: str(container["name"]),
)
_SENSIBLE_MEMBERS: dict[str, Any] = {
    "cpu": st.sampled_from(["128", ".25 vCPU", "1 vcpu"]),
    "memory": st.sampled_from(["256", "1GB", "0.5 GB"]),
    "networkMode": st.sampled_from(["bridge", "host", "awsvpc"]),
    "volumes": st.lists(
        st.sampled_from(
            [
                {"name": "a"},
                {"name": "b", "dockerVolumeConfiguration": {}},
                {"name": "c", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
                {"name": "d", "configuredAtLaunch": True},
            ]
        ),
        unique_by=lambda volume: str(volume["name"]),
    ),
}
SENSIBLE = st.fixed_dictionaries(
    {"family": st.just("site"), "containerDefinitions": SENSIBLE_CONTAINERS}, optional=_SENSIBLE_MEMBERS
).map(lambda whole: codec.from_json(registry_service_pb2.RegisterTaskDefinitionRequest, whole))

QUICK = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(DEFINITIONS)
def test_filling_in_twice_changes_nothing(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> None:
    once = defaults.definition_of(request)
    defaults.fill(once)
    twice = task_definition_pb2.TaskDefinition()
    twice.CopyFrom(once)
    defaults.fill(twice)

    assert twice == once


def _request_of(
    definition: task_definition_pb2.TaskDefinition,
) -> registry_service_pb2.RegisterTaskDefinitionRequest:
    """The request that would register a definition again."""
    request = registry_service_pb2.RegisterTaskDefinitionRequest()
    for field, value in definition.ListFields():
        if field.is_repeated:
            getattr(request, field.name).extend(value)
        elif field.message_type is not None:
            getattr(request, field.name).CopyFrom(value)
        else:
            setattr(request, field.name, value)
    return request


@QUICK
@given(DEFINITIONS)
def test_every_member_of_a_request_is_in_its_definition_unchanged(
    request: registry_service_pb2.RegisterTaskDefinitionRequest,
) -> None:
    back = _request_of(defaults.definition_of(request))
    back.tags.extend(request.tags)

    assert back == request


@QUICK
@given(SENSIBLE)
def test_what_was_echoed_can_be_registered_again_and_is_derived_from_the_same(
    request: registry_service_pb2.RegisterTaskDefinitionRequest,
) -> None:
    assert rules.faults_of(request) == ()
    filled = defaults.definition_of(request)
    defaults.fill(filled)
    again = _request_of(filled)
    refilled = defaults.definition_of(again)
    defaults.fill(refilled)

    assert rules.faults_of(again) == ()
    assert refilled == filled
    assert compatibilities.of(subjects.definition(again)) == compatibilities.of(subjects.definition(request))
    assert requires_attributes.of(refilled) == requires_attributes.of(filled)


@QUICK
@given(DEFINITIONS)
def test_whatever_is_wrong_fits_into_one_refusal(
    request: registry_service_pb2.RegisterTaskDefinitionRequest,
) -> None:
    found = rules.faults_of(request)
    if not found:
        return
    error = faults.refusal(errors.ClientException, found)
    sent = status.from_proto(status.to_proto(error))

    assert all(fault.message and fault.rule in rules.NAMES for fault in found)
    assert (sent.message, sent.metadata) == (error.message, error.metadata)


@given(st.integers(min_value=1, max_value=10_000_000).map(lambda number: number / 1024))
def test_vcpus_are_whole_units_or_refused(cpus: float) -> None:
    text = f"{cpus:.6f}".rstrip("0") + " vCPU"
    units = sizes.cpu_units(text) if "." in text else None

    assert units is None or abs(units - cpus * 1024) < 0.01
