"""buf's STANDARD and COMMENTS rules, and the breaking changes it refuses, over descriptor sets.

`make check` runs buf itself where Node.js is; these rules stand in for it elsewhere, and hold in every test run.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_LOWER_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_VERSIONED = re.compile(r".+\.v[1-9][0-9]*")
_COMPILE_BOUND_S = 30.0

# Field numbers of descriptor.proto: the path of an element in its file's source information.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _NESTED_ENUMS = 2, 3, 4
_VALUES, _METHODS = 2, 2

# Where an element is, its name, and what is wrong with it.
Elements = Iterator[tuple[tuple[int, ...], str, list[str]]]


def compiled(root: Path) -> pb.FileDescriptorSet:
    """The protos below `root` with their comments, and without what they import from elsewhere."""
    sources = sorted(str(path.relative_to(root)) for path in root.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", "--include_source_info"]
    output = ["--descriptor_set_out=/dev/stdout", *sources]
    done = subprocess.run([*command, *output], capture_output=True, timeout=_COMPILE_BOUND_S, check=True)
    return pb.FileDescriptorSet.FromString(done.stdout)


def lint(files: pb.FileDescriptorSet) -> list[str]:
    """What is against buf's rules, one sentence each."""
    return sorted(fault for file in files.file for fault in (*_file_faults(file), *_element_faults(file))) + sorted(
        _shared_messages(files)
    )


def breaking(files: pb.FileDescriptorSet, against: pb.FileDescriptorSet) -> list[str]:
    """What a program built on `against` could no longer rely on, one sentence each."""
    now, faults = _surface(files), []
    for name, before in _surface(against).items():
        if name not in now:
            faults.append(f"{name} is gone")
        elif now[name] != before:
            faults.append(f"{name} was {before} and is {now[name]}")
    return faults


def _file_faults(file: pb.FileDescriptorProto) -> Iterator[str]:
    folder, _, stem = file.name.removesuffix(".proto").rpartition("/")
    if file.package.replace(".", "/") != folder:
        yield f"{file.name}: package {file.package} does not match the folder"
    if not _VERSIONED.fullmatch(file.package):
        yield f"{file.name}: package {file.package} has no version"
    if not _LOWER_SNAKE.fullmatch(stem):
        yield f"{file.name}: the file's name is not lower_snake_case"
    if file.public_dependency or file.weak_dependency:
        yield f"{file.name}: public and weak imports are not allowed"


def _element_faults(file: pb.FileDescriptorProto) -> Iterator[str]:
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    for path, name, faults in _elements(file):
        yield from (f"{file.name}: {name} {fault}" for fault in faults)
        if not comments.get(path, "").strip():
            yield f"{file.name}: {name} has no comment"


def _elements(file: pb.FileDescriptorProto) -> Elements:
    for index, message in enumerate(file.message_type):
        yield from _message_elements((_MESSAGES, index), message, message.name)
    for index, enum in enumerate(file.enum_type):
        yield from _enum_elements((_ENUMS, index), enum, enum.name)
    for index, service in enumerate(file.service):
        yield from _service_elements((_SERVICES, index), service)


def _message_elements(path: tuple[int, ...], message: pb.DescriptorProto, name: str) -> Elements:
    if message.options.map_entry:
        return
    yield path, name, _unless(_PASCAL, message.name, "is not PascalCase")
    for index, field in enumerate(message.field):
        faults = _unless(_LOWER_SNAKE, field.name, "is not lower_snake_case")
        yield (*path, _FIELDS, index), f"{name}.{field.name}", faults
    for index, nested in enumerate(message.nested_type):
        yield from _message_elements((*path, _NESTED, index), nested, f"{name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _enum_elements((*path, _NESTED_ENUMS, index), enum, f"{name}.{enum.name}")


def _enum_elements(path: tuple[int, ...], enum: pb.EnumDescriptorProto, name: str) -> Elements:
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", enum.name).upper() + "_"
    faults = _unless(_PASCAL, enum.name, "is not PascalCase")
    if enum.options.allow_alias:
        faults.append("allows aliases")
    if enum.value[0].number != 0 or enum.value[0].name != f"{prefix}UNSPECIFIED":
        faults.append(f"does not begin with {prefix}UNSPECIFIED = 0")
    yield path, name, faults
    for index, value in enumerate(enum.value):
        faults = _unless(_UPPER_SNAKE, value.name, "is not UPPER_SNAKE_CASE")
        if not value.name.startswith(prefix):
            faults.append(f"does not begin with {prefix}")
        yield (*path, _VALUES, index), value.name, faults


def _service_elements(path: tuple[int, ...], service: pb.ServiceDescriptorProto) -> Elements:
    faults = _unless(_PASCAL, service.name, "is not PascalCase")
    if not service.name.endswith("Service"):
        faults.append("does not end with Service")
    yield path, service.name, faults
    for index, method in enumerate(service.method):
        faults = _unless(_PASCAL, method.name, "is not PascalCase")
        for kind, used in (("Request", method.input_type), ("Response", method.output_type)):
            standard = {f"{method.name}{kind}", f"{service.name}{method.name}{kind}"}
            if used.rpartition(".")[2] not in standard:
                faults.append(f"does not use {method.name}{kind}")
        yield (*path, _METHODS, index), f"{service.name}.{method.name}", faults


def _shared_messages(files: pb.FileDescriptorSet) -> Iterator[str]:
    methods = [method for file in files.file for service in file.service for method in service.method]
    used = Counter(name for method in methods for name in (method.input_type, method.output_type))
    return (f"{name.lstrip('.')} is used by more than one RPC" for name, times in used.items() if times > 1)


def _unless(pattern: re.Pattern[str], name: str, fault: str) -> list[str]:
    return [] if pattern.fullmatch(name) else [fault]


def _surface(files: pb.FileDescriptorSet) -> dict[str, str]:
    """What programs rely on: each element by a name that stays the same, and how it looks on the wire and in JSON."""
    found: dict[str, str] = {}
    for file in files.file:
        for message in file.message_type:
            _message_surface(found, file.name, file.package, message)
        for enum in file.enum_type:
            _enum_surface(found, file.name, file.package, enum)
        for service in file.service:
            name = f"{file.package}.{service.name}"
            found[name] = f"a service in {file.name}"
            found.update({f"{name}.{method.name}": _method_shape(method) for method in service.method})
    return found


def _message_surface(found: dict[str, str], file: str, scope: str, message: pb.DescriptorProto) -> None:
    name = f"{scope}.{message.name}"
    found[name] = f"a message in {file}"
    found.update({f"{name} field {field.number}": _field_shape(message, field) for field in message.field})
    for nested in message.nested_type:
        _message_surface(found, file, name, nested)
    for enum in message.enum_type:
        _enum_surface(found, file, name, enum)


def _enum_surface(found: dict[str, str], file: str, scope: str, enum: pb.EnumDescriptorProto) -> None:
    name = f"{scope}.{enum.name}"
    found[name] = f"an enum in {file}"
    found.update({f"{name} value {value.number}": value.name for value in enum.value})


def _field_shape(message: pb.DescriptorProto, field: pb.FieldDescriptorProto) -> str:
    kind = pb.FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    label = pb.FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
    presence = "present or absent" if field.proto3_optional else "plain"
    group = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else "none"
    return f"{label} {kind}{field.type_name} {field.name} ({field.json_name}, {presence}, oneof {group})"


def _method_shape(method: pb.MethodDescriptorProto) -> str:
    client, server = ("stream " * method.client_streaming), ("stream " * method.server_streaming)
    return f"{client}{method.input_type} -> {server}{method.output_type}"
