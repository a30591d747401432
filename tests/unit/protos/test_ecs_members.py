"""The contract holds ECS's vocabulary: the same members, of the same kinds, in the same spelling, and what is ours is marked."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore import model
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor

from longshore.rpc import codec_schema
from longshore.rpc.codec_schema import Field, Kind, Shape
from longshore.v1 import (
    account_pb2,
    capacity_provider_pb2,
    cluster_pb2,
    common_pb2,
    container_instance_pb2,
    options_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)

pytestmark = pytest.mark.unit

MODULES = (
    common_pb2,
    account_pb2,
    capacity_provider_pb2,
    cluster_pb2,
    container_instance_pb2,
    task_pb2,
    task_definition_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
)
MESSAGES: dict[str, Descriptor] = {
    name: descriptor for module in MODULES for name, descriptor in module.DESCRIPTOR.message_types_by_name.items()
}

EXPLICIT = {
    "bindIP": "bind_ip",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "managedEBSVolume": "managed_ebs_volume",
    "totalLocalStorageGB": "total_local_storage_gb",
    "webACLArn": "web_acl_arn",
}
"""The only members whose JSON name does not follow from the snake-case name."""

OPEN_SETS = {"LogDriver", "ClusterSettingName", "SettingName"}
"""ECS names the words it knows and takes others: strings here."""

TO_COME = {"CapacityProvider": {"autoScalingGroupProvider", "managedInstancesProvider"}}
"""Members that ECS has and we do not yet: capacity providers that people make themselves."""

OWN_ENUMS = {
    "TaskStatus": {
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
        "DELETED",
    },
    "ContainerStatus": {"PENDING", "RUNNING", "STOPPED"},
    "ClusterStatus": {"ACTIVE", "PROVISIONING", "DEPROVISIONING", "FAILED", "INACTIVE"},
    "ContainerInstanceStatus": {
        "REGISTERING",
        "REGISTRATION_FAILED",
        "ACTIVE",
        "DRAINING",
        "DEREGISTERING",
        "INACTIVE",
    },
    "DesiredStatus": {"RUNNING", "PENDING", "STOPPED"},
}
"""Enums where ECS's model has a string, or (the last two) fewer words or fewer places than it really uses."""

OPERATIONS = {
    registry_service_pb2: "RegistryService",
    scheduler_service_pb2: "SchedulerService",
    state_tracker_service_pb2: "StateTrackerService",
}

SNAKE_BOUNDARY = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")


def snake(member: str) -> str:
    """Spell an ECS member in snake case: `XMLParser` is xml_parser, `aB` is a_b."""
    return SNAKE_BOUNDARY.sub("_", member).lower()


def structures(ecs: model.ServiceModel) -> dict[str, Any]:
    shapes = ((name, ecs.shape_for(name)) for name in ecs.shape_names)
    return {name: shape for name, shape in shapes if shape.type_name == "structure"}


def test_the_rule_spells_as_the_design_says() -> None:
    assert [snake(name) for name in ("XMLParser", "aB", "kmsKeyId", "s3BucketName", "sizeInGiB", "ipv6Address")] == [
        "xml_parser",
        "a_b",
        "kms_key_id",
        "s3_bucket_name",
        "size_in_gi_b",
        "ipv6_address",
    ]


def test_every_member_of_ecs_but_five_gets_its_name_from_the_rule(
    ecs: model.ServiceModel, compile_protos: Any, tmp_path: Path
) -> None:
    members = sorted({member for shape in structures(ecs).values() for member in shape.members})
    assert len(members) > 500
    fields = [f"  string {snake(member)} = {number};" for number, member in enumerate(members, 1)]
    (tmp_path / "members.proto").write_text("\n".join(['syntax = "proto3";', "message Members {", *fields, "}"]))
    (file,) = compile_protos(tmp_path, ["members.proto"]).file
    compiled = {field.json_name: field.name for field in file.message_type[0].field}
    assert sorted(set(members) - compiled.keys()) == sorted(EXPLICIT)
    assert {member: snake(member) for member in EXPLICIT} == EXPLICIT


def test_only_those_five_bear_an_explicit_json_name(contract: list[descriptor_pb2.FileDescriptorProto]) -> None:
    def fields(message: descriptor_pb2.DescriptorProto) -> list[descriptor_pb2.FieldDescriptorProto]:
        return [*message.field, *(field for nested in message.nested_type for field in fields(nested))]

    every = [field for file in contract for message in file.message_type for field in fields(message)]
    unruly = {
        field.json_name: field.name
        for field in every
        if snake(field.json_name) != field.name or camel(field.name) != field.json_name
    }
    assert unruly.items() <= EXPLICIT.items()


def camel(name: str) -> str:
    """Spell a field's name as protobuf's JSON does by itself."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def of_ecs(ecs: model.ServiceModel) -> list[tuple[Descriptor, Any]]:
    shapes = structures(ecs)
    return [(MESSAGES[name], shapes[name]) for name in sorted(MESSAGES.keys() & shapes.keys())]


def test_messages_have_exactly_ecs_members_and_mark_their_own(ecs: model.ServiceModel) -> None:
    pairs = of_ecs(ecs)
    assert len(pairs) > 100
    for descriptor, shape in pairs:
        schema = codec_schema.schema(descriptor)
        assert set(schema.names(longshore_only=False)) == set(shape.members) - TO_COME.get(descriptor.name, set()), (
            descriptor.name
        )


def test_messages_that_ecs_does_not_have_are_ours_alone(ecs: model.ServiceModel) -> None:
    ours = MESSAGES.keys() - structures(ecs).keys()
    assert ours == {"StringList", "CapacityProviderStrategy", "Leader", "AccessKey", "FollowedCluster"} | {
        "PlacementReason",
        "PlacementVerdict",
        "PlacementMiss",
        "RunTasksFailure",
        "TaskWaiting",
        "WaitForCapacity",
    } | {message.name for method in methods() if is_ours(method) for message in (method.input_type, method.output_type)}


def test_an_rpc_is_marked_as_ours_exactly_where_ecs_has_no_such_operation(ecs: model.ServiceModel) -> None:
    assert {method.name for method in methods() if not is_ours(method)} == {
        method.name for method in methods() if method.name in ecs.operation_names
    }


def methods() -> list[Any]:
    return [
        method
        for module, service in OPERATIONS.items()
        for method in module.DESCRIPTOR.services_by_name[service].methods
    ]


def is_ours(method: Any) -> bool:
    return bool(method.GetOptions().Extensions[options_pb2.longshore_rpc])


def test_members_have_ecs_kinds(ecs: model.ServiceModel) -> None:
    wrong = [
        f"{descriptor.name}.{field.name}: {problem}"
        for descriptor, shape in of_ecs(ecs)
        for field in codec_schema.schema(descriptor).fields.values()
        if not field.longshore_only
        for problem in mismatches(field, shape.members[field.json_name])
    ]
    assert wrong == []


SCALARS = {
    Kind.BOOLEAN: "boolean",
    Kind.NUMBER: "double",
    Kind.TIMESTAMP: "timestamp",
    Kind.STRING: "string",
    Kind.WORD: "string",
}


def mismatches(field: Field, shape: Any) -> list[str]:
    """How a field differs from the shape of ECS's member of the same name."""
    if field.shape is Shape.MAP:
        given = (shape.type_name, shape.key.type_name, shape.value.type_name)
        return [] if given == ("map", "string", "string") and field.kind is Kind.STRING else ["not a map of strings"]
    if field.shape is Shape.MANY:
        return of_value(field, shape.member) if shape.type_name == "list" else ["not a list"]
    if field.kind is Kind.LIST:
        inner = codec_schema.listed(field.message)
        return of_value(inner, shape.member) if shape.type_name == "list" else ["not a list"]
    return of_value(field, shape)


def of_value(field: Field, shape: Any) -> list[str]:
    if field.kind is Kind.OBJECT:
        return [] if field.message.name == shape.name else [f"a {field.message.name} for a {shape.name}"]
    if field.kind is Kind.INTEGER:
        width = "integer" if field.bounds[1] < 2**32 else "long"
        return [] if width == shape.type_name else [f"a {width} for a {shape.type_name}"]
    if SCALARS.get(field.kind) != shape.type_name:
        return [f"{field.kind} for a {shape.type_name}"]
    if shape.type_name == "string":
        return of_words(field, shape)
    return []


def of_words(field: Field, shape: Any) -> list[str]:
    closed = bool(shape.enum) and shape.name not in OPEN_SETS
    if field.kind is Kind.STRING:
        return [f"a string for the enum {shape.name}"] if closed else []
    enum = field.value.enum_type
    assert enum is not None
    words = set(field.words.numbers)
    if enum.name in OWN_ENUMS:
        return [] if words == OWN_ENUMS[enum.name] >= set(shape.enum) else [f"words of {enum.name}"]
    if enum.name != shape.name:
        return [f"a {enum.name} for a {shape.name}"]
    return [] if words == set(shape.enum) else [f"words of {enum.name}: {sorted(words ^ set(shape.enum))}"]


@pytest.mark.parametrize(
    ("module", "service"), OPERATIONS.items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_rpcs_that_ecs_has_take_and_give_ecs_shapes(module: Any, service: str, ecs: model.ServiceModel) -> None:
    methods = module.DESCRIPTOR.services_by_name[service].methods
    known = [method for method in methods if method.name in ecs.operation_names]
    assert len(known) >= 3
    for method in known:
        operation = ecs.operation_model(method.name)
        assert method.input_type.name == operation.input_shape.name
        assert method.output_type.name == operation.output_shape.name


@pytest.mark.parametrize("name", sorted(OWN_ENUMS))
def test_an_enum_of_our_own_exists(name: str) -> None:
    enums = {enum for module in MODULES for enum in module.DESCRIPTOR.enum_types_by_name}
    assert name in enums


def test_members_of_our_own_in_ecs_messages_are_numbered_from_100(ecs: model.ServiceModel) -> None:
    """Members that ECS adds later take the numbers after its own, so ours stay clear of them."""
    every = [field for descriptor, _ in of_ecs(ecs) for field in codec_schema.schema(descriptor).fields.values()]
    ours = [field for field in every if field.longshore_only]
    assert ours
    assert [field.name for field in ours if field.descriptor.number < 100] == []
    assert [field.name for field in every if field.descriptor.number >= 100 and not field.longshore_only] == []
