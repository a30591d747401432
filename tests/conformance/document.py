"""docs/conformance.md, made from ECS's model, the contract's options and the differences from the emulator."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.conformance import contract, differences
from tests.conformance.contract import Handling, Member

FILE = Path(__file__).parents[2] / "docs" / "conformance.md"

REQUEST_WORDS: dict[Handling, str] = {
    contract.SUPPORTED: "supported",
    contract.STORED: "stored only",
    contract.IGNORED: "ignored",
    contract.UNPLACEABLE: "refused at placement",
    contract.REFUSED: "refused",
}
ANSWER_WORDS: dict[Handling, str] = {contract.SUPPORTED: "filled", contract.UNFILLED: "never filled"}

NOT_YET: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Services and their deployments", ("Service", "ServiceDeployment", "ServiceRevisions", "ServicesByNamespace")),
    ("Task sets and task protection", ("TaskSet", "PrimaryTaskSet", "TaskProtection")),
    ("Capacity providers of one's own", ("CapacityProvider",)),
    ("Commands in running containers", ("ExecuteCommand",)),
    ("Managed daemons", ("Daemon",)),
    ("Gateways", ("Gateway",)),
    ("Express services", ("ExpressGatewayService",)),
)
"""The operations that are not there yet, by a word in their names; the last that fits counts."""

_HEAD = """# What of ECS's API is there

Made by `make conformance` from ECS's model as botocore {botocore} has it, the options in `protos/longshore/v1` and what
tests/conformance found; do not edit. The tests of that folder call every operation below through boto3 and hold each line to the truth.

| of a request's member | |
|---|---|
| supported | it has the effect that it has in ECS |
| stored only | it is kept and shown, and has no effect |
| ignored | it is taken, and neither kept nor shown |
| refused at placement | it is kept and shown, and a task that needs it is placed nowhere, with a reason that names it |
| refused | a call that gives it is refused, with a reason that names it |

A member that ECS's model does not have is always refused. What stands in a refused structure is refused with it. A member of an answer is
*filled* where ECS fills it, or *never filled*.
"""


def render() -> str:
    """The whole document."""
    offered = contract.offered()
    members = [member for operation in offered for member in contract.members(operation)]
    lines = [
        *_HEAD.format(botocore=series()).splitlines(),
        "",
        "## In numbers",
        "",
        *_counts(offered, members),
        "",
        "## Operations that are there",
        "",
        *_operations(offered, members),
        "",
        "## Structures",
        "",
        *_structures(members),
        "",
        "## Operations that are not there yet",
        "",
        "A call of one is refused with `UnknownOperationException`.",
        "",
        *_missing(offered),
        "",
        "## Differences from the moto server",
        "",
        *differences.rendered(),
    ]
    return "\n".join(lines) + "\n"


def series() -> str:
    """Botocore's version without its last part: patches change dates, not shapes that we know of."""
    import botocore

    return ".".join(botocore.__version__.split(".")[:2])


def _counts(offered: Sequence[str], members: Sequence[Member]) -> Iterator[str]:
    every = contract.operations()
    yield f"{len(offered)} of ECS's {len(every)} operations are there. Their members, each place where one stands counted:"
    yield ""
    yield "| | members | share |"
    yield "|---|---:|---:|"
    for title, words, in_request in (("of requests", REQUEST_WORDS, True), ("of answers", ANSWER_WORDS, False)):
        counted = Counter(member.handling for member in members if member.in_request is in_request)
        total = counted.total()
        yield f"| **{title}** | **{total}** | |"
        for handling, word in words.items():
            if counted[handling]:
                yield f"| {word} | {counted[handling]} | {counted[handling] / total:.0%} |"
    yield ""
    columns = (*REQUEST_WORDS.values(), *ANSWER_WORDS.values())
    yield from table(("operation", *columns), (_operation_row(operation, members) for operation in offered))


def _operation_row(operation: str, members: Sequence[Member]) -> tuple[str, ...]:
    counted = Counter((each.in_request, each.handling) for each in members if each.operation == operation)
    numbers = [counted[True, handling] for handling in REQUEST_WORDS]
    numbers += [counted[False, handling] for handling in ANSWER_WORDS]
    return f"[{operation}](#{operation.lower()})", *(str(number) if number else "" for number in numbers)


def _operations(offered: Sequence[str], members: Sequence[Member]) -> Iterator[str]:
    for operation in offered:
        top = [member for member in members if member.operation == operation and "." not in member.path]
        yield f"### {operation}"
        yield ""
        asked = [member for member in top if member.in_request]
        yield from (
            table(("request", "type", "", ""), map(_request_row, asked)) if asked else ("No request members.", "")
        )
        answered = [member for member in top if not member.in_request]
        if answered:
            yield from table(("answer", "type", "", ""), map(_answer_row, answered))
        else:
            yield from ("The answer is empty.", "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, and an empty one."""
    yield f"| {' | '.join(head)} |".replace("  ", " ")
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _request_row(member: Member) -> tuple[str, ...]:
    name = f"`{member.name}`" + (" *" if member.required else "")
    return name, _type(member), REQUEST_WORDS[member.handling], member.note


def _answer_row(member: Member) -> tuple[str, ...]:
    note = member.note if member.handling == contract.UNFILLED else ""
    return f"`{member.name}`", _type(member), ANSWER_WORDS[member.handling], note


def _type(member: Member) -> str:
    if member.inner is None or not contract.is_known(member.inner):
        return member.kind
    return member.kind.replace(member.inner, f"[{member.inner}](#{member.inner.lower()})")


def _structures(members: Sequence[Member]) -> Iterator[str]:
    inner: dict[str, list[Member]] = {}
    for member in members:
        if "." in member.path:
            inner.setdefault(member.structure, []).append(member)
    whole = {name: word for name, found in inner.items() if (word := _same_throughout(found)) is not None}
    yield "Each once, wherever it stands; * marks what is required."
    yield ""
    for name in sorted(inner.keys() - whole.keys()):
        yield f"### {name}"
        yield ""
        rows = [_structure_row(name, member, inner[name]) for member in _ordered(inner[name])]
        yield from table(("member", "type", "in requests", "in answers", ""), rows)
    yield "### Structures that only stand in what is refused or never filled"
    yield ""
    rows = []
    for name in sorted(whole):
        names = ", ".join(f"`{member.name}`" for member in _ordered(inner[name]))
        rows.append((f'<a id="{name.lower()}"></a>{name}', names, whole[name]))
    yield from table(("structure", "members", ""), rows)


def _same_throughout(found: Sequence[Member]) -> str | None:
    """What becomes of a structure's every member at every place, where that is one thing and not support."""
    asked = {member.handling for member in found if member.in_request}
    shown = {member.handling for member in found if not member.in_request}
    if not asked and shown == {contract.UNFILLED}:
        return "never filled"
    if len(asked) == 1 and not asked & {contract.SUPPORTED, contract.STORED} and len(shown) < 2:
        return REQUEST_WORDS[min(asked)]
    return None


def _ordered(found: Iterable[Member]) -> list[Member]:
    return list({member.name: member for member in reversed(list(found))}.values())[::-1]


def _structure_row(structure: str, member: Member, found: Sequence[Member]) -> tuple[str, ...]:
    asked = {each.handling for each in found if each.name == member.name and each.in_request}
    shown = {each.handling for each in found if each.name == member.name and not each.in_request}
    name = f"`{member.name}`" + (" *" if member.required and asked else "")
    note = contract.own(structure, member.name)[1]
    return name, _type(member), _words(asked, REQUEST_WORDS), _words(shown, ANSWER_WORDS), note


def _words(found: Iterable[Handling], words: dict[Handling, str]) -> str:
    """Several where it depends on what the structure stands in, the best first."""
    return ", or ".join(words[handling] for handling in words if handling in set(found))


def _missing(offered: Sequence[str]) -> Iterator[str]:
    left = [operation for operation in contract.operations() if operation not in offered]
    groups: dict[str, list[str]] = {title: [] for title, _ in NOT_YET}
    for operation in left:
        titles = [title for title, marks in NOT_YET if any(mark in operation for mark in marks)]
        groups[titles[-1]].append(operation)
    yield from table(
        ("", "operations"),
        [
            (f"{title} ({len(names)})", ", ".join(f"`{name}`" for name in names))
            for title, names in groups.items()
            if names
        ],
    )
