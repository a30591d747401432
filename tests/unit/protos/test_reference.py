"""docs/api tells of everything in the contract, its links lead somewhere, and the errors that comments speak of are declared."""

import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2 as pb

from longshore.rpc import declared, errors
from longshore.v1 import options_pb2
from tests.unit.protos import test_comments

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs/api"
CODES = {
    "ABORTED": "Aborted",
    "OUT_OF_RANGE": "OutOfRange",
    "UNAUTHENTICATED": "Unauthenticated",
    "RESOURCE_EXHAUSTED": "ResourceExhausted",
    "UNAVAILABLE": "Unavailable",
    "NOT_FOUND": "ResourceNotFoundException",
}
"""How comments name an error that ECS has no word for."""

COMPONENTS = {
    "RegistryService": ("registry", "scheduler", "state_tracker"),
    "SchedulerService": ("scheduler",),
    "StateTrackerService": ("state_tracker",),
    "AgentService": ("state_tracker",),
}
"""Where the errors of a service are raised: the registry passes on what owners of a resource say of its tags."""


def methods(contract: list[pb.FileDescriptorProto]) -> dict[str, tuple[list[str], str]]:
    """Declared errors and comment of each RPC, by `Service.Method`."""
    return {
        f"{service.name}.{method.name}": (
            list(method.options.Extensions[options_pb2.errors]),
            test_comments.comments(file)[test_comments.SERVICE, index, test_comments.METHOD, number],
        )
        for file in contract
        for index, service in enumerate(file.service)
        for number, method in enumerate(service.method)
    }


def page(name: str) -> str:
    return (FOLDER / f"{name.replace('_', '-')}.md").read_text()


def anchors(text: str) -> set[str]:
    return {heading.lower() for heading in re.findall(r"^#+ (\w+)$", text, re.MULTILINE)}


def test_the_reference_covers_every_rpc_message_field_and_value(contract: list[pb.FileDescriptorProto]) -> None:
    index, rpcs = page("README"), 0
    for file in contract:
        stem = Path(file.name).stem
        if stem == "record":
            continue
        text = page(stem)
        spoken = {t.rpartition(".")[2] for s in file.service for m in s.method for t in (m.input_type, m.output_type)}
        for service in file.service:
            assert {method.name.lower() for method in service.method} <= anchors(text)
            assert all(f"| [{method.name}](" in index for method in service.method)
            rpcs += len(service.method)
        types = {message.name for message in file.message_type} | {enum.name for enum in file.enum_type}
        assert {name for name in types if name.lower() not in anchors(text)} == spoken
        assert all(f"`{name}`" in text for name in spoken)
        assert all(f"| `{field.name}` |" in text for message in file.message_type for field in message.field)
        assert all(f"| `{value.name}` |" in text for enum in file.enum_type for value in enum.value)
    assert rpcs >= 59


def test_every_link_of_the_reference_leads_somewhere() -> None:
    links = 0
    for path in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
            links += 1
            name, _, anchor = target.partition("#")
            found = (path.parent / name).resolve() if name else path
            assert found.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in anchors(found.read_text()), f"{path.name}: {target}"
    assert links > 500


def test_declared_errors_exist_and_are_each_named_once(contract: list[pb.FileDescriptorProto]) -> None:
    for name, (given, _) in methods(contract).items():
        assert set(given) <= errors.table().keys(), name
        assert len(given) == len(set(given)), name


def test_a_comment_speaks_of_no_error_that_is_not_declared(contract: list[pb.FileDescriptorProto]) -> None:
    for name, (given, comment) in methods(contract).items():
        spoken = set(re.findall(r"\b[A-Z]\w+Exception\b", comment))
        spoken |= {error for code, error in CODES.items() if re.search(rf"\b{code}\b", comment)}
        assert spoken <= {*given, *declared.OF_ANY_CALL}, name


def test_an_error_is_declared_only_where_its_component_can_give_it(contract: list[pb.FileDescriptorProto]) -> None:
    shared = sorted((ROOT / "protos/longshore/rpc").glob("*.py"))
    for name, (given, _) in methods(contract).items():
        folders = (ROOT / "services/longshore" / part for part in (*COMPONENTS[name.partition(".")[0]], "storage"))
        sources = [*shared, *(path for folder in folders for path in folder.rglob("*.py"))]
        text = "\n".join(path.read_text() for path in sources if path.stem not in {"errors", "declared"})
        assert [error for error in given if not re.search(rf"\berrors\.{error}\b", text)] == [], name
