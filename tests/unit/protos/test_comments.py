"""Everything in the contract says what it is: the API reference is made of these comments."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

pytestmark = pytest.mark.unit

SYNTAX = (descriptor_pb2.FileDescriptorProto.SYNTAX_FIELD_NUMBER,)
MESSAGE = descriptor_pb2.FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
ENUM = descriptor_pb2.FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
SERVICE = descriptor_pb2.FileDescriptorProto.SERVICE_FIELD_NUMBER
EXTENSION = descriptor_pb2.FileDescriptorProto.EXTENSION_FIELD_NUMBER
FIELD = descriptor_pb2.DescriptorProto.FIELD_FIELD_NUMBER
NESTED = descriptor_pb2.DescriptorProto.NESTED_TYPE_FIELD_NUMBER
NESTED_ENUM = descriptor_pb2.DescriptorProto.ENUM_TYPE_FIELD_NUMBER
ONEOF = descriptor_pb2.DescriptorProto.ONEOF_DECL_FIELD_NUMBER
VALUE = descriptor_pb2.EnumDescriptorProto.VALUE_FIELD_NUMBER
METHOD = descriptor_pb2.ServiceDescriptorProto.METHOD_FIELD_NUMBER

Place = tuple[int, ...]

LONGEST_LINE = 120


def in_enum(enum: descriptor_pb2.EnumDescriptorProto, place: Place) -> Iterator[tuple[Place, str]]:
    yield place, enum.name
    for index, value in enumerate(enum.value):
        yield (*place, VALUE, index), f"{enum.name}.{value.name}"


def in_message(message: descriptor_pb2.DescriptorProto, place: Place) -> Iterator[tuple[Place, str]]:
    if message.options.map_entry:
        return
    yield place, message.name
    for index, field in enumerate(message.field):
        yield (*place, FIELD, index), f"{message.name}.{field.name}"
    synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
    for index, oneof in enumerate(message.oneof_decl):
        if index not in synthetic:
            yield (*place, ONEOF, index), f"{message.name}.{oneof.name}"
    for index, nested in enumerate(message.nested_type):
        yield from in_message(nested, (*place, NESTED, index))
    for index, enum in enumerate(message.enum_type):
        yield from in_enum(enum, (*place, NESTED_ENUM, index))


def in_file(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    """Everything in a file that has to be explained, by its place in the descriptor."""
    yield SYNTAX, "the file itself"
    for index, message in enumerate(file.message_type):
        yield from in_message(message, (MESSAGE, index))
    for index, enum in enumerate(file.enum_type):
        yield from in_enum(enum, (ENUM, index))
    for index, extension in enumerate(file.extension):
        yield (EXTENSION, index), extension.name
    for index, service in enumerate(file.service):
        yield (SERVICE, index), service.name
        for number, method in enumerate(service.method):
            yield (SERVICE, index, METHOD, number), f"{service.name}.{method.name}"


def comments(file: descriptor_pb2.FileDescriptorProto) -> dict[Place, str]:
    located = file.source_code_info.location
    return {tuple(location.path): " ".join(location.leading_comments.split()) for location in located}


def test_everything_has_a_comment(contract: list[descriptor_pb2.FileDescriptorProto]) -> None:
    assert len(contract) >= 12
    told = [
        (f"{file.name}: {name}", comments(file).get(place, "")) for file in contract for place, name in in_file(file)
    ]
    assert len(told) > 1000
    assert [name for name, comment in told if not comment] == []


def test_every_comment_is_a_sentence(contract: list[descriptor_pb2.FileDescriptorProto]) -> None:
    told = [
        (f"{file.name}: {name}", comments(file).get(place, "")) for file in contract for place, name in in_file(file)
    ]
    assert [name for name, comment in told if not comment.endswith((".", "`"))] == []
    assert [name for name, comment in told if "@@" in comment or "TODO" in comment] == []


WRITERS = re.compile(r"[Ww]ritten by|Never written here")
NOTHING = re.compile(r"\b([Ee]mpty|[Aa]bsent|UNSPECIFIED|[Rr]equired|[Nn]ever|[Aa]lways|[Zz]ero|False|at least one)\b")
INNER = ("agent_service", "event", "options", "record")
"""Files between our own components: there a message's comment names its one writer, and every member is set."""


def members(contract: list[descriptor_pb2.FileDescriptorProto]) -> dict[str, str]:
    """The comments of the members that callers meet."""
    return {
        f"{message.name}.{field.name}": comments(file)[MESSAGE, index, FIELD, number]
        for file in contract
        if Path(file.name).stem not in INNER
        for index, message in enumerate(file.message_type)
        for number, field in enumerate(message.field)
    }


def test_every_member_says_who_writes_it(contract: list[descriptor_pb2.FileDescriptorProto]) -> None:
    assert [name for name, comment in members(contract).items() if not WRITERS.search(comment)] == []


def test_every_member_says_what_it_means_when_it_is_not_there(
    contract: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    assert [name for name, comment in members(contract).items() if not NOTHING.search(comment)] == []


def test_no_line_is_longer_than_a_screen() -> None:
    protos = Path(__file__).parents[3] / "protos"
    long = [
        f"{path.name}:{number}"
        for path in sorted(protos.rglob("*.proto"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        # An RPC's declaration is one line, as buf's formatter leaves it.
        if len(line) > LONGEST_LINE and not line.lstrip().startswith("rpc ")
    ]
    assert long == []
