"""Properties that hold for every message type of the contract, over random messages and random documents."""

import json
import random
import string
from typing import Any

import pytest
from botocore import loaders, model, parsers
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.rpc import codec, codec_schema
from longshore.v1 import (
    agent_service_pb2,
    record_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
)

pytestmark = pytest.mark.property

ROOTS = (registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2, agent_service_pb2, record_pb2)
CHARACTERS = string.ascii_letters + string.digits + ' "\\/\n\x00éß漢🚢'
EXTREMES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), -1, 0, 1, 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1),
    FieldDescriptor.TYPE_DOUBLE: (-1e300, -0.5, 0.0, 0.1, 5e-324, 1.7e308),
}
LAST_EXACT_YEAR_S = 2**33
"""Epoch seconds beyond which a float has no room for microseconds (the year 2242)."""


def every_type() -> list[Descriptor]:
    """Every message type that the contract's files define, those that messages of the services only contain included."""
    found: dict[str, Descriptor] = {}

    def walk(descriptor: Descriptor) -> None:
        if descriptor.full_name.startswith("longshore.v1.") and descriptor.full_name not in found:
            if not descriptor.GetOptions().map_entry:
                found[descriptor.full_name] = descriptor
            for field in descriptor.fields:
                if field.message_type is not None:
                    walk(field.message_type)

    for module in ROOTS:
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            walk(descriptor)
    return [found[name] for name in sorted(found)]


TYPES = every_type()
SEEDS = st.integers(0, 2**48)
SOME = settings(max_examples=12, deadline=None)

MODEL = model.ServiceModel(loaders.Loader().load_service_model("ecs", "service-2", "2014-11-13"))
STRUCTURES = {name for name in MODEL.shape_names if MODEL.shape_for(name).type_name == "structure"}
UNIONS = {name for name in STRUCTURES if MODEL.shape_for(name).is_tagged_union}
"""Structures of which ECS's clients insist that one member, and one only, is there. Ours have one member each."""
SHARED = [descriptor for descriptor in TYPES if descriptor.name in STRUCTURES]


def filled(descriptor: Descriptor, chance: random.Random, depth: int = 0) -> Message:
    """Build a message with random fields set; the deeper the fewer."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if chance.random() < (0.6, 0.5, 0.35, 0.25)[min(depth, 3)]:
            fill(message, field, chance, depth)
    if descriptor.name in UNIONS and not message.ListFields():
        fill(message, chance.choice(descriptor.fields), chance, depth)
    return message


def fill(message: Message, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for _ in range(chance.randrange(3)):
            getattr(message, field.name)[text(chance)] = text(chance)
    elif field.is_repeated and field.message_type is not None:
        getattr(message, field.name).extend(part(field, chance, depth) for _ in range(chance.randrange(3)))
    elif field.is_repeated:
        getattr(message, field.name).extend(scalar(field, chance) for _ in range(chance.randrange(3)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(part(field, chance, depth))
    else:
        setattr(message, field.name, scalar(field, chance))


def part(field: FieldDescriptor, chance: random.Random, depth: int) -> Message:
    assert field.message_type is not None
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return Timestamp(seconds=chance.randrange(-(2**33), LAST_EXACT_YEAR_S), nanos=1000 * chance.randrange(10**6))
    return filled(field.message_type, chance, depth + 1)


def text(chance: random.Random) -> str:
    return "".join(chance.choices(CHARACTERS, k=chance.randrange(6)))


def scalar(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return text(chance)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.randrange(5))
    if field.enum_type is not None:
        return chance.choice([value.number for value in field.enum_type.values if value.number])
    return chance.choice(EXTREMES[field.type])


def test_the_contract_is_covered() -> None:
    assert len(TYPES) > 120
    assert len(SHARED) > 100


@pytest.mark.parametrize("descriptor", TYPES, ids=lambda descriptor: descriptor.name)
@SOME
@given(seed=SEEDS)
def test_what_is_written_is_read_back_the_same(descriptor: Descriptor, seed: int) -> None:
    message = filled(descriptor, random.Random(seed))
    written = codec.to_json(message, longshore_only=True)
    assert codec.from_json(type(message), written, longshore_only=True) == message
    assert codec.from_json(type(message), codec.dumps(written), longshore_only=True) == message
    assert codec.from_json(type(message), codec.dumps(written, indent=2).encode(), longshore_only=True) == message


@pytest.mark.parametrize("descriptor", TYPES, ids=lambda descriptor: descriptor.name)
def test_no_type_contains_itself(descriptor: Descriptor) -> None:
    def walk(inner: Descriptor, above: tuple[str, ...]) -> None:
        assert inner.full_name not in above
        for field in inner.fields:
            if field.message_type is not None:
                walk(field.message_type, (*above, inner.full_name))

    walk(descriptor, ())


# ---------------------------------------------------------------------------------------------- hostile documents

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-16", exclude_categories=()), max_size=8)
    | st.sampled_from(["tcp", "RUNNING", "\ud800", "1", 2**31, 10**400, -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def disturbed(value: Any, chance: random.Random, intruder: Any) -> Any:
    """Copy a document with something else in some of its places."""
    if chance.random() < 0.08:
        return intruder
    if isinstance(value, dict):
        changed = {name: disturbed(item, chance, intruder) for name, item in value.items()}
        if chance.random() < 0.1:
            changed[chance.choice(["memry", "\udfff", "", "x" * 500, "cluster_arn"])] = intruder
        return changed
    if isinstance(value, list):
        return [disturbed(item, chance, intruder) for item in value]
    return value


def read_or_refuse(kind: type[Message], document: object) -> None:
    try:
        message = codec.from_json(kind, document, longshore_only=True)
    except codec.CodecError as error:
        refused = error
    else:
        assert codec.from_json(kind, codec.to_json(message, longshore_only=True), longshore_only=True) == message
        return
    assert 1 <= len(refused.faults) <= 20
    str(refused).encode()  # a message is printable whatever the document held


@pytest.mark.parametrize("descriptor", TYPES, ids=lambda descriptor: descriptor.name)
@SOME
@given(seed=SEEDS, intruder=JSON_VALUES)
def test_a_disturbed_document_is_read_or_refused(descriptor: Descriptor, seed: int, intruder: Any) -> None:
    chance = random.Random(seed)
    message = filled(descriptor, chance)
    document = codec.to_json(message, longshore_only=True)
    read_or_refuse(type(message), disturbed(document, chance, intruder))


@settings(max_examples=200, deadline=None)
@given(document=st.text() | st.binary() | JSON_VALUES | JSON_VALUES.map(json.dumps))
def test_any_document_is_read_or_refused(document: object) -> None:
    read_or_refuse(registry_service_pb2.RegisterTaskDefinitionRequest, document)


# ------------------------------------------------------------------------------------------------ ECS's own model


WIDER = {"LogDriver", "ClusterSettingName", "SettingName", "ContainerInstanceStatus"}
"""Shapes of which ECS's model does not name every word: three open sets, and INACTIVE, which ECS answers and does not list."""


def deviations(shape: Any, value: Any, path: str) -> list[str]:
    """Where a document is not what ECS's model says. Required members are the registry's business, not the codec's."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return [f"{path}: no object"]
        unknown = [f"{path}.{name}: unknown" for name in value.keys() - shape.members.keys()]
        known = [
            deviation
            for name, item in value.items()
            if name in shape.members
            for deviation in deviations(shape.members[name], item, f"{path}.{name}")
        ]
        return unknown + known
    if shape.type_name == "list":
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [deviation for item in value for deviation in deviations(shape.member, item, f"{path}[]")]
    if shape.type_name == "map":
        if not isinstance(value, dict):
            return [f"{path}: no object"]
        return [deviation for item in value.values() for deviation in deviations(shape.value, item, f"{path}{{}}")]
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int,),
        "long": (int,),
        "double": (float, int),
        "timestamp": (float, int),
    }
    if type(value) not in kinds[shape.type_name]:
        return [f"{path}: a {type(value).__name__} for a {shape.type_name}"]
    if shape.type_name == "string" and shape.enum and shape.name not in WIDER and value not in shape.enum:
        return [f"{path}: {value!r} is no {shape.name}"]
    return []


@pytest.mark.parametrize("descriptor", SHARED, ids=lambda descriptor: descriptor.name)
@SOME
@given(seed=SEEDS)
def test_what_is_written_is_what_ecs_model_says(descriptor: Descriptor, seed: int) -> None:
    message = filled(descriptor, random.Random(seed))
    assert deviations(MODEL.shape_for(descriptor.name), codec.to_json(message), descriptor.name) == []


ANSWERS = [descriptor for descriptor in SHARED if descriptor.name.endswith("Response")]


@pytest.mark.parametrize("descriptor", ANSWERS, ids=lambda descriptor: descriptor.name)
@SOME
@given(seed=SEEDS)
def test_ecs_own_client_reads_every_member_of_an_answer(descriptor: Descriptor, seed: int) -> None:
    written = codec.to_json(filled(descriptor, random.Random(seed)))
    response = {"body": codec.dumps(written).encode(), "headers": {}, "status_code": 200}
    parser = parsers.create_parser(MODEL.metadata["protocol"])
    parsed = parser.parse(response, MODEL.shape_for(descriptor.name))
    parsed.pop("ResponseMetadata")
    assert comparable(parsed) == comparable(written)


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    # botocore turns epoch seconds into times.
    return value.timestamp() if hasattr(value, "timestamp") else value


def test_every_type_that_answers_can_hold_has_a_schema_by_ecs_name() -> None:
    pool = descriptor_pool.Default()
    for descriptor in SHARED:
        schema = codec_schema.schema(pool.FindMessageTypeByName(descriptor.full_name))
        assert schema.names(longshore_only=False) == [
            name for name in schema.fields if name in MODEL.shape_for(descriptor.name).members
        ]
