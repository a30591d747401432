"""Write docs/api anew from the protos: a page for each file with its services, messages and enums, and one of the errors."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

from longshore.rpc import declared, errors
from longshore.v1 import options_pb2

ROOT = Path(__file__).parents[1]
PROTOS = ROOT / "protos"
FOLDER = ROOT / "docs/api"
COMPILE_TIMEOUT_S = 60
LEFT_OUT = frozenset({"record"})
"""What only the control plane stores."""

Field = pb.FieldDescriptorProto
Place = tuple[int, ...]

_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _METHODS, _VALUES = 2, 3, 2, 2

_HANDLED = {
    options_pb2.HANDLING_STORED: "Stored only",
    options_pb2.HANDLING_IGNORED: "Ignored",
    options_pb2.HANDLING_REFUSED: "Refused",
    options_pb2.HANDLING_UNPLACEABLE: "Refused at placement",
    options_pb2.HANDLING_UNFILLED: "Never filled",
}

_INDEX = """# Reference of the API

The contract is [`protos/longshore/v1`](../../protos/longshore/v1); these pages are made from its comments by `make api`, and
`make check` fails when they are stale. How to call it from a language is told by [the guide of clients](../guides/clients.md).

- Each service is on a port of its own: registry 8701, scheduler 8702, state-tracker 8703. All three have gRPC's health service and reflection.
- An RPC of ECS bears ECS's name, and its fields ECS's members in snake case: `taskDefinitionArn` is `task_definition_arn`. The gateway on
  port 8700 offers it as JSON over HTTP under the same name. RPCs and fields of our own are marked *Longshore's*.
- *optional* means that what was left out can be told from what is zero or empty. Without it, zero or empty stands for both; messages can
  always be told to be absent.
- Whatever is named (a cluster, a task, an instance, a definition) can be named by its short name or id or by its whole ARN.
- A failed call has a gRPC status, and in it a `google.rpc.ErrorInfo` with domain `longshore` whose reason is the error's name: [errors](errors.md).
- What ECS answers inside a success is answered the same way: `failures` with an `arn`, a `reason` (`MISSING`, `RESOURCE:CPU`) and a `detail`.
"""

_ERRORS = """# Errors

A failed call has a gRPC status code, and in its details a `google.rpc.ErrorInfo` with domain `longshore`: its `reason` is the error's name, as in
the tables of each RPC; its `metadata` has the numbers or names of the message, for programs. A status without it comes from gRPC itself or from
something on the way, and its code alone says what to do. Besides what an RPC declares (option `(errors)` in its proto), any call can be refused with
what is marked *any call*. No server gives another: our tests fail when one does.

Only UNAVAILABLE is worth repeating as it is, and a call that acts only under a client token, or where acting twice is harmless.
"""


class Contract:
    """The compiled protos with their comments, and where each type is told of."""

    def __init__(self, files: Sequence[pb.FileDescriptorProto]) -> None:
        """Take our own files."""
        self.files = {_stem(file): file for file in files}
        self._comments = {
            _stem(file): {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
            for file in files
        }
        self._pages = {
            f".{file.package}.{thing.name}": stem
            for stem, file in self.files.items()
            for things in (file.message_type, file.enum_type)
            for thing in things
        }
        self._spoken = {
            name: method.name
            for file in files
            for service in file.service
            for method in service.method
            for name in (method.input_type, method.output_type)
        }

    def comment(self, stem: str, place: Place) -> str:
        """What stands above a thing, as one paragraph."""
        return " ".join(self._comments[stem][place].split())

    def link(self, full_name: str, page: str) -> str:
        """The name of a type, leading to where it is told of."""
        name = full_name.rpartition(".")[2]
        home = self._pages.get(full_name)
        if home is None or home in LEFT_OUT:
            return f"`{full_name.lstrip('.')}`"
        heading = self._spoken.get(full_name, name)
        return f"[{name}]({'' if home == page else _file(home)}#{heading.lower()})"


def compiled() -> Contract:
    """The contract as it is now."""
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", "--include_source_info"]
    done = subprocess.run(
        [*command, "--descriptor_set_out=/dev/stdout", *sources],
        capture_output=True,
        timeout=COMPILE_TIMEOUT_S,
        check=True,
    )
    return Contract(pb.FileDescriptorSet.FromString(done.stdout).file)


def pages(contract: Contract) -> dict[str, str]:
    """Every page by its file's name."""
    made = {_file(stem): "\n".join(_page(contract, stem)) for stem in contract.files if stem not in LEFT_OUT}
    return made | {"README.md": "\n".join(_index(contract)), "errors.md": "\n".join(_error_page(contract))}


def _index(contract: Contract) -> Iterator[str]:
    yield _INDEX
    for stem, file in contract.files.items():
        for index, service in enumerate(file.service):
            yield f"## [{service.name}]({_file(stem)})\n"
            yield f"{contract.comment(stem, (_SERVICES, index))}\n"
            yield "| RPC | |\n|---|---|"
            for number, method in enumerate(service.method):
                told = contract.comment(stem, (_SERVICES, index, _METHODS, number))
                yield f"| [{method.name}]({_file(stem)}#{method.name.lower()}) | {_cell(_first_sentence(told))} |"
            yield ""
    yield "## Types\n\n| page | |\n|---|---|"
    for stem, file in contract.files.items():
        if stem not in LEFT_OUT and not file.service:
            yield f"| [{_title(stem)}]({_file(stem)}) | {_cell(contract.comment(stem, (12,)))} |"
    yield ""


def _page(contract: Contract, stem: str) -> Iterator[str]:
    file = contract.files[stem]
    spoken = {method.input_type for service in file.service for method in service.method}
    spoken |= {method.output_type for service in file.service for method in service.method}
    title = file.service[0].name if file.service else _title(stem)
    yield f"# {title}\n\n{contract.comment(stem, (12,))}\n"
    yield f"From [`{file.name}`](../../protos/{file.name}); do not edit. [All pages](README.md).\n"
    for index, service in enumerate(file.service):
        yield f"{contract.comment(stem, (_SERVICES, index))}\n"
        for number, method in enumerate(service.method):
            yield from _method(contract, stem, (_SERVICES, index, _METHODS, number), method)
    others = [
        (index, message)
        for index, message in enumerate(file.message_type)
        if f".{file.package}.{message.name}" not in spoken
    ]
    if file.service and others:
        yield "# Messages\n"
    for index, message in others:
        yield f"## {message.name}\n\n{contract.comment(stem, (_MESSAGES, index))}\n"
        yield from _fields(contract, stem, index, message)
    if file.enum_type:
        yield "# Enums\n"
    for index, enum in enumerate(file.enum_type):
        yield from _enum(contract, stem, index, enum)


def _method(contract: Contract, stem: str, place: Place, method: pb.MethodDescriptorProto) -> Iterator[str]:
    """An RPC: what it does, who may call it, what it takes, answers, and can be refused with."""
    options = method.options.Extensions
    yield f"## {method.name}\n\n{contract.comment(stem, place)}\n"
    role = {options_pb2.ROLE_READ_ONLY: "read-only", options_pb2.ROLE_RUN: "run"}.get(
        options[options_pb2.role], "admin"
    )
    ours = stem == "agent_service" or bool(options[options_pb2.longshore_rpc])
    yield "*Longshore's.*\n" if ours else f"*ECS's.* Least role of an access key over HTTP: {role}.\n"
    for words, name, streams in (
        ("Request", method.input_type, method.client_streaming),
        ("Response", method.output_type, method.server_streaming),
    ):
        index, message = next(
            (index, message)
            for index, message in enumerate(contract.files[stem].message_type)
            if name.endswith(f".{message.name}")
        )
        yield f"**{words}**{' (a stream)' if streams else ''} `{message.name}`: {contract.comment(stem, (_MESSAGES, index))}\n"
        yield from _fields(contract, stem, index, message)
    named = ", ".join(f"[{name}](errors.md#{name.lower()})" for name in options[options_pb2.errors])
    yield f"**Errors**: {f'{named}; and ' if named else ''}those of [any call](errors.md).\n"


def _fields(contract: Contract, stem: str, index: int, message: pb.DescriptorProto) -> Iterator[str]:
    if not message.field:
        yield "No fields.\n"
        return
    yield "| field | type | |\n|---|---|---|"
    for number, field in enumerate(message.field):
        told = contract.comment(stem, (_MESSAGES, index, _FIELDS, number))
        yield f"| `{field.name}` | {_type(contract, stem, message, field)} | {_cell(told + _handled(field))} |"
    yield ""


def _type(contract: Contract, stem: str, message: pb.DescriptorProto, field: Field) -> str:
    entry = next(
        (nested for nested in message.nested_type if field.type_name.endswith(f".{message.name}.{nested.name}")), None
    )
    if entry is not None and entry.options.map_entry:
        key, value = (_bare(contract, stem, inner) for inner in entry.field)
        return f"map of {key} to {value}"
    bare = _bare(contract, stem, field)
    if field.label == Field.LABEL_REPEATED:
        return f"list of {bare}"
    in_oneof = field.HasField("oneof_index") and not field.proto3_optional
    return (
        f"{bare}, one of `{message.oneof_decl[field.oneof_index].name}`"
        if in_oneof
        else f"{bare}{', optional' * field.proto3_optional}"
    )


def _bare(contract: Contract, stem: str, field: Field) -> str:
    if field.type in {Field.TYPE_MESSAGE, Field.TYPE_ENUM}:
        return contract.link(field.type_name, stem)
    return Field.Type.Name(field.type).removeprefix("TYPE_").lower()


def _handled(field: Field) -> str:
    """What became of a member of ECS's, where it has not the effect that it has there."""
    options = field.options.Extensions
    note = options[options_pb2.handling_note]
    word = _HANDLED.get(options[options_pb2.handling])
    told = f" *{word}*" + (f": {note}." if note else ".") if word else (f" *Note*: {note}." if note else "")
    return told + (" *Longshore's.*" if options[options_pb2.longshore_only] else "")


def _enum(contract: Contract, stem: str, index: int, enum: pb.EnumDescriptorProto) -> Iterator[str]:
    yield f"## {enum.name}\n\n{contract.comment(stem, (_ENUMS, index))}\n"
    yield "| value | number | in JSON | |\n|---|---:|---|---|"
    prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
    for number, value in enumerate(enum.value):
        spelled = value.options.Extensions[options_pb2.ecs_value] or value.name.removeprefix(prefix)
        told = contract.comment(stem, (_ENUMS, index, _VALUES, number))
        yield f"| `{value.name}` | {value.number} | {f'`{spelled}`' if value.number else ''} | {_cell(told)} |"
    yield ""


def _error_page(contract: Contract) -> Iterator[str]:
    givers: dict[str, list[str]] = {}
    for stem, file in contract.files.items():
        for service in file.service:
            for method in service.method:
                for name in method.options.Extensions[options_pb2.errors]:
                    givers.setdefault(name, []).append(f"[{method.name}]({_file(stem)}#{method.name.lower()})")
    yield _ERRORS
    yield "| error | status | |\n|---|---|---|"
    known = {name: kind for name, kind in errors.table().items() if name in givers or name in declared.OF_ANY_CALL}
    for name, kind in sorted(known.items()):
        by = (
            "*any call*"
            if name in declared.OF_ANY_CALL
            else f"{len(givers[name])} RPCs"
            if givers[name][1:]
            else givers[name][0]
        )
        yield f"| [{name}](#{name.lower()}) | {kind.code.name} | {by} |"
    yield ""
    for name, kind in sorted(known.items()):
        yield f"## {name}\n\n{' '.join(inspect.cleandoc(kind.__doc__ or '').split())} Status {kind.code.name}.\n"
        if name in givers:
            also = "Any call can give it; declared by" if name in declared.OF_ANY_CALL else "Given by"
            yield f"{also} {', '.join(givers[name])}.\n"


def _stem(file: pb.FileDescriptorProto) -> str:
    return file.name.rpartition("/")[2].removesuffix(".proto")


def _file(stem: str) -> str:
    return f"{stem.replace('_', '-')}.md"


def _title(stem: str) -> str:
    return stem.replace("_", " ").capitalize()


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.:;]) (?=[A-Z`])", text)[0].rstrip(":;")


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or say which are stale."""
    made = pages(compiled())
    there = {path.name: path.read_text() for path in FOLDER.glob("*.md")} if FOLDER.is_dir() else {}
    if list(arguments) == ["check"]:
        stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
        if stale:
            print(f"api: stale in docs/api: {', '.join(stale)}; run 'make api' and commit the result")
        return bool(stale)
    FOLDER.mkdir(exist_ok=True)
    for name in there.keys() - made.keys():
        (FOLDER / name).unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
