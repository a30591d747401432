"""buf's STANDARD rules over the contract, where buf itself is not to be had.

Each rule is a function from a file to what breaks it, and each is tried on a file that breaks it, so that none passes by
looking away.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from longshore.v1 import options_pb2

pytestmark = pytest.mark.unit

File = descriptor_pb2.FileDescriptorProto
Rule = Callable[[File], list[str]]

LOWER_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
VERSIONED = re.compile(r"[a-z0-9_.]+\.v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?")


def messages(file: File) -> Iterator[descriptor_pb2.DescriptorProto]:
    """Every message of a file, those inside others too, those made for maps not."""

    def walk(message: descriptor_pb2.DescriptorProto) -> Iterator[descriptor_pb2.DescriptorProto]:
        if not message.options.map_entry:
            yield message
            for nested in message.nested_type:
                yield from walk(nested)

    for message in file.message_type:
        yield from walk(message)


def enums(file: File) -> Iterator[descriptor_pb2.EnumDescriptorProto]:
    yield from file.enum_type
    for message in messages(file):
        yield from message.enum_type


def methods(file: File) -> Iterator[tuple[str, descriptor_pb2.MethodDescriptorProto]]:
    for service in file.service:
        for method in service.method:
            yield service.name, method


def upper_snake(name: str) -> str:
    """Spell an enum's name as its values begin: `CPUArchitecture` is CPU_ARCHITECTURE."""
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def package_is_versioned_and_matches_its_folder(file: File) -> list[str]:
    folder = PurePosixPath(file.name).parent.as_posix().replace("/", ".")
    return [] if file.package == folder and VERSIONED.fullmatch(file.package) else [f"{file.package} in {folder}"]


def files_are_lower_snake(file: File) -> list[str]:
    stem = PurePosixPath(file.name).stem
    return [] if LOWER_SNAKE.fullmatch(stem) else [stem]


def syntax_is_proto3(file: File) -> list[str]:
    return [] if file.syntax == "proto3" else [file.syntax]


def imports_are_neither_public_nor_weak(file: File) -> list[str]:
    return [file.dependency[index] for index in (*file.public_dependency, *file.weak_dependency)]


def services_are_pascal_and_end_in_service(file: File) -> list[str]:
    return [s.name for s in file.service if not (PASCAL.fullmatch(s.name) and s.name.endswith("Service"))]


def rpcs_are_pascal(file: File) -> list[str]:
    return [method.name for _, method in methods(file) if not PASCAL.fullmatch(method.name)]


def requests_and_responses_are_named_after_their_rpc(file: File) -> list[str]:
    def named(kind: str, type_name: str, service: str, rpc: str) -> bool:
        return type_name.rsplit(".", 1)[-1] in {f"{rpc}{kind}", f"{service}{rpc}{kind}"}

    return [
        method.name
        for service, method in methods(file)
        if not named("Request", method.input_type, service, method.name)
        or not named("Response", method.output_type, service, method.name)
    ]


def requests_and_responses_are_used_once(file: File) -> list[str]:
    used = Counter(name for _, method in methods(file) for name in (method.input_type, method.output_type))
    return [name for name, times in used.items() if times > 1]


def messages_are_pascal(file: File) -> list[str]:
    return [message.name for message in messages(file) if not PASCAL.fullmatch(message.name)]


def fields_are_lower_snake(file: File) -> list[str]:
    return [f"{m.name}.{f.name}" for m in messages(file) for f in m.field if not LOWER_SNAKE.fullmatch(f.name)]


def fields_are_not_required(file: File) -> list[str]:
    required = descriptor_pb2.FieldDescriptorProto.LABEL_REQUIRED
    return [f"{m.name}.{f.name}" for m in messages(file) for f in m.field if f.label == required]


def oneofs_are_lower_snake(file: File) -> list[str]:
    declared = [
        (message, oneof.name)
        for message in messages(file)
        for index, oneof in enumerate(message.oneof_decl)
        if not any(field.proto3_optional and field.oneof_index == index for field in message.field)
    ]
    return [f"{message.name}.{name}" for message, name in declared if not LOWER_SNAKE.fullmatch(name)]


def enums_are_pascal(file: File) -> list[str]:
    return [enum.name for enum in enums(file) if not PASCAL.fullmatch(enum.name)]


def enum_values_are_upper_snake_with_their_prefix(file: File) -> list[str]:
    return [
        value.name
        for enum in enums(file)
        for value in enum.value
        if not (UPPER_SNAKE.fullmatch(value.name) and value.name.startswith(f"{upper_snake(enum.name)}_"))
    ]


def enums_begin_with_an_unspecified_zero(file: File) -> list[str]:
    return [
        enum.name
        for enum in enums(file)
        if not (enum.value[0].number == 0 and enum.value[0].name.endswith("_UNSPECIFIED"))
    ]


def enums_have_no_aliases(file: File) -> list[str]:
    return [enum.name for enum in enums(file) if enum.options.allow_alias]


RULES: tuple[Rule, ...] = (
    package_is_versioned_and_matches_its_folder,
    files_are_lower_snake,
    syntax_is_proto3,
    imports_are_neither_public_nor_weak,
    services_are_pascal_and_end_in_service,
    rpcs_are_pascal,
    requests_and_responses_are_named_after_their_rpc,
    requests_and_responses_are_used_once,
    messages_are_pascal,
    fields_are_lower_snake,
    fields_are_not_required,
    oneofs_are_lower_snake,
    enums_are_pascal,
    enum_values_are_upper_snake_with_their_prefix,
    enums_begin_with_an_unspecified_zero,
    enums_have_no_aliases,
)

BREAKING = {
    "good/v1/Bad-Name.proto": """
        syntax = "proto2";
        package bad;
        import public "good/v1/other.proto";
        service things { rpc do_it(other) returns (other); }
        message other {
          required string aB = 1;
          oneof Choice { string x = 2; }
        }
        enum lower {
          option allow_alias = true;
          lower_a = 1;
          LOWER_B = 1;
          OTHER_C = 3;
        }
    """,
    "good/v1/other.proto": 'syntax = "proto3"; package good.v1;',
}
"""A file that breaks every rule, beside one it can import."""


def by_name(rule: Any) -> str:
    return str(rule.__name__)


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_the_contract_keeps_the_rule(rule: Rule, contract: list[File]) -> None:
    assert [f"{file.name}: {problem}" for file in contract for problem in rule(file)] == []


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_the_rule_finds_what_breaks_it(rule: Rule, compile_protos: Any, tmp_path: Path) -> None:
    for name, text in BREAKING.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = {file.name: file for file in compile_protos(tmp_path, sorted(BREAKING)).file}
    assert rule(files["good/v1/Bad-Name.proto"])
    assert rule(files["good/v1/other.proto"]) == []


def test_all_files_share_one_package(contract: list[File]) -> None:
    assert {file.package for file in contract} == {"longshore.v1"}


def test_members_of_our_own_are_numbered_from_100_and_ecs_below(contract: list[File]) -> None:
    """Members that ECS adds later take the numbers after its own, so ours stay clear of them."""
    every = [(f"{m.name}.{f.name}", f) for file in contract for m in messages(file) for f in m.field]
    ours = {name: f.number for name, f in every if f.options.Extensions[options_pb2.longshore_only]}
    assert ours
    assert [name for name, number in ours.items() if number < 100] == []
    assert [name for name, f in every if f.number >= 100 and name not in ours] == []
