"""docs/conformance.md is what the contract and the tests say now."""

from tests.conformance import contract, document


def test_the_committed_document_is_up_to_date() -> None:
    assert document.FILE.read_text() == document.render(), "run 'make conformance'"


def test_every_operation_is_told_of_once() -> None:
    text = document.render()
    offered = contract.offered()
    assert [text.count(f"\n### {operation}\n") for operation in offered] == [1] * len(offered)
    missing = text.partition("## Operations that are not there yet")[2]
    left = set(contract.operations()) - set(offered)
    assert {operation: missing.count(f"`{operation}`") for operation in left} == dict.fromkeys(left, 1)


def test_every_link_leads_somewhere() -> None:
    text = document.render()
    targets = {line.removeprefix("### ").lower() for line in text.splitlines() if line.startswith("### ")}
    targets |= {part.partition('"')[0] for part in text.split('<a id="')[1:]}
    links = {part.partition(")")[0] for part in text.split("](#")[1:]}
    assert links - targets == set()


def test_what_a_registration_takes_is_said_the_same_of_what_is_shown() -> None:
    """A definition's members stand in two messages; the one that is shown holds whatever was not refused."""
    asked = {member.path: member for member in contract.members("RegisterTaskDefinition") if member.in_request}
    shown = {member.path: member for member in contract.members("DescribeTaskDefinition") if not member.in_request}
    for path, member in asked.items():
        seen = shown.get(f"taskDefinition.{path}")
        if seen is not None and member.handling == contract.REFUSED:
            continue
        if seen is not None:
            assert seen.handling == contract.SUPPORTED, path
