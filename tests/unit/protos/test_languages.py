"""The contract fits every language: each file names its packages, and no identifier that a generator forms collides."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pytest
from google.protobuf import descriptor_pb2 as pb

from tests.unit.protos import generators

pytestmark = pytest.mark.unit

Contract = list[pb.FileDescriptorProto]

PACKAGES: Mapping[str, object] = {
    "csharp_namespace": "Longshore.V1",
    "go_package": "github.com/longshore-project/longshore/clients/go/longshorev1;longshorev1",
    "java_multiple_files": True,
    "java_package": "io.longshore.v1",
    "php_metadata_namespace": r"Longshore\V1\GPBMetadata",
    "php_namespace": r"Longshore\V1",
    "ruby_package": "Longshore::V1",
    "swift_prefix": "LongshoreV1",
}


def messages(contract: Contract) -> Iterator[pb.DescriptorProto]:
    def inside(message: pb.DescriptorProto) -> Iterator[pb.DescriptorProto]:
        if not message.options.map_entry:
            yield message
            for nested in message.nested_type:
                yield from inside(nested)

    return (found for file in contract for message in file.message_type for found in inside(message))


def enums(contract: Contract) -> Iterator[pb.EnumDescriptorProto]:
    yield from (enum for file in contract for enum in file.enum_type)
    yield from (enum for message in messages(contract) for enum in message.enum_type)


def types(contract: Contract) -> set[str]:
    return {message.name for message in messages(contract)} | {enum.name for enum in enums(contract)}


def fields(contract: Contract) -> set[str]:
    return {field.name for message in messages(contract) for field in message.field}


def twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def of_one_message(contract: Contract, members: object) -> list[str]:
    assert callable(members)
    return [f"{message.name}.{name}" for message in messages(contract) for name in twice(members(message))]


def test_every_file_names_the_packages_of_every_language(contract: Contract) -> None:
    assert len(contract) >= 16
    for file in contract:
        assert {name: getattr(file.options, name) for name in PACKAGES} == PACKAGES, file.name
        words = file.name.rpartition("/")[2].removesuffix(".proto").split("_")
        assert file.options.java_outer_classname == "".join(map(str.title, words)) + "Proto", file.name


def test_no_name_is_a_keyword_of_python(contract: Contract) -> None:
    names = fields(contract) | types(contract) | {value.name for enum in enums(contract) for value in enum.value}
    assert len(names) > 700
    assert names & generators.PYTHON_KEYWORDS == set()


def test_no_name_collides_in_go(contract: Contract) -> None:
    assert {generators.go(name) for name in fields(contract)} & generators.GO_METHODS == set()
    assert of_one_message(contract, generators.go_members) == []
    assert twice(name for file in contract for name in generators.go_names(file)) == []


def test_no_name_collides_in_java(contract: Contract) -> None:
    classes = [name for file in contract for name in generators.java_names(file)]
    # File systems that do not tell cases apart would lose one of two.
    assert twice(map(str.lower, classes)) == []
    assert set(classes) & generators.JAVA_LANG == set()
    assert of_one_message(contract, generators.java_members) == []
    members = {name for message in messages(contract) for name in generators.java_members(message)}
    assert members & generators.JAVA_ACCESSORS == set()
    assert {value.name for enum in enums(contract) for value in enum.value} & generators.JAVA_ENUM == set()
    methods = {generators.camel(method.name) for file in contract for s in file.service for method in s.method}
    assert methods & generators.JAVA_KEYWORDS == set()


def test_no_name_collides_in_csharp(contract: Contract) -> None:
    assert of_one_message(contract, generators.csharp_members) == []
    members = {name for message in messages(contract) for name in generators.csharp_members(message)}
    assert members & generators.CSHARP_MEMBERS == set()
    assert twice(map(str.lower, types(contract))) == []
    for enum in enums(contract):
        names = [generators.pascal(name.lower()) for name in generators.stripped(enum)]
        assert twice(names) == [], enum.name
        # A name that begins with a digit is escaped with an underscore.
        assert all(re.match("[A-Z0-9]", name) for name in names), enum.name


def test_no_name_collides_in_ruby(contract: Contract) -> None:
    assert fields(contract) & generators.RUBY_METHODS == set()
    assert types(contract) & generators.RUBY_CONSTANTS == set()
    snake = {re.sub(r"(?<!^)(?=[A-Z])", "_", m.name).lower() for f in contract for s in f.service for m in s.method}
    assert snake & (generators.RUBY_METHODS | {"request_response", "client_streamer", "server_streamer"}) == set()


def test_no_name_collides_in_php(contract: Contract) -> None:
    assert {name.lower() for name in types(contract)} & generators.PHP_CLASSES == set()
    assert of_one_message(contract, generators.php_members) == []
    assert {value.name.lower() for enum in enums(contract) for value in enum.value} & generators.PHP_CLASSES == set()


def test_no_name_collides_in_swift(contract: Contract) -> None:
    assert {generators.camel(name) for name in fields(contract)} & generators.SWIFT_FIELDS == set()
    assert of_one_message(contract, generators.swift_members) == []
    for enum in enums(contract):
        names = [generators.camel(name.lower()) for name in generators.stripped(enum)]
        assert twice(names) == [], enum.name


def test_no_name_collides_in_typescript(contract: Contract) -> None:
    exported = [name for file in contract for name in generators.typescript_names(file)]
    assert twice(exported) == []
    assert set(exported) & generators.TYPESCRIPT_NAMES == set()
    assert {generators.camel(name) for name in fields(contract)} & generators.TYPESCRIPT_PROPERTIES == set()


def test_a_collision_is_found() -> None:
    """The rules find what they are for: a getter against a field, an accessor against a count, a property against a presence."""
    repeated = pb.FieldDescriptorProto.LABEL_REPEATED
    text = pb.FieldDescriptorProto.TYPE_STRING
    message = pb.DescriptorProto(
        name="Boat",
        field=[
            pb.FieldDescriptorProto(name="sail", number=1, label=repeated, type=text),
            pb.FieldDescriptorProto(name="sail_count", number=2, type=pb.FieldDescriptorProto.TYPE_INT32),
            pb.FieldDescriptorProto(name="mast", number=3, type=text, oneof_index=0, proto3_optional=True),
            pb.FieldDescriptorProto(name="has_mast", number=4, type=pb.FieldDescriptorProto.TYPE_BOOL),
            pb.FieldDescriptorProto(name="get_mast", number=5, type=text),
        ],
        oneof_decl=[pb.OneofDescriptorProto(name="_mast")],
    )

    assert twice(generators.java_members(message)) == ["getSailCount"]
    assert twice(generators.csharp_members(message)) == ["HasMast"]
    assert twice(generators.go_members(message)) == ["GetMast"]
    assert twice(generators.swift_members(message)) == ["hasMast"]
    assert [generators.go(name) for name in ("a_b", "s3_key", "value_2", "_x")] == ["AB", "S3Key", "Value_2", "XX"]
