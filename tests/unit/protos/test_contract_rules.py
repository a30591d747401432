"""The contract keeps buf's rules and its promises; the rules themselves find what they are for."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from tests.unit.protos import contract_rules

_PROTOS = Path(__file__).parents[3] / "protos"
_BASELINE = _PROTOS / "longshore.binpb"

_CLEAN = """// A file.
syntax = "proto3";
package boats.v1;
// Sails.
service BoatService {
  // Leaves.
  rpc Leave(LeaveRequest) returns (LeaveResponse);
}
// Asks.
message LeaveRequest {
  // Name, any text, written by the caller; empty means all.
  string boat_name = 1;
  // Kind, written by the caller.
  Kind kind = 2;
}
// Answers.
message LeaveResponse {}
// Kinds.
enum Kind {
  // None.
  KIND_UNSPECIFIED = 0;
  // With sails.
  KIND_SAIL = 1;
}
"""


def test_the_contract_keeps_every_rule() -> None:
    assert contract_rules.lint(contract_rules.compiled(_PROTOS)) == []


def test_the_contract_keeps_what_it_promised() -> None:
    promised = descriptor_pb2.FileDescriptorSet.FromString(_BASELINE.read_bytes())
    ours = descriptor_pb2.FileDescriptorSet(file=[file for file in promised.file if "longshore" in file.package])

    assert contract_rules.breaking(contract_rules.compiled(_PROTOS), ours) == []


def test_a_clean_file_has_no_fault(tmp_path: Path) -> None:
    assert contract_rules.lint(_compiled(tmp_path, _CLEAN)) == []


@pytest.mark.parametrize(
    ("clean", "faulty", "fault"),
    [
        ("package boats.v1", "package ships.v1", "package ships.v1 does not match the folder"),
        ("service BoatService", "service Boats", "Boats does not end with Service"),
        ("LeaveRequest", "leaveRequest", "leaveRequest is not PascalCase"),
        ("string boat_name", "string boatName", "LeaveRequest.boatName is not lower_snake_case"),
        ("// Leaves.\n", "", "BoatService.Leave has no comment"),
        ("// Name, any text, written by the caller; empty means all.\n", "", "LeaveRequest.boat_name has no comment"),
        ("// With sails.\n", "", "KIND_SAIL has no comment"),
        ("KIND_SAIL", "SAIL", "SAIL does not begin with KIND_"),
        ("KIND_UNSPECIFIED", "KIND_NONE", "Kind does not begin with KIND_UNSPECIFIED = 0"),
        ("returns (LeaveResponse)", "returns (LeaveRequest)", "boats.v1.LeaveRequest is used by more than one RPC"),
        ("returns (LeaveResponse)", "returns (LeaveRequest)", "BoatService.Leave does not use LeaveResponse"),
    ],
)
def test_each_rule_finds_its_fault(tmp_path: Path, clean: str, faulty: str, fault: str) -> None:
    faults = contract_rules.lint(_compiled(tmp_path, _CLEAN.replace(clean, faulty)))

    assert any(found.endswith(fault) for found in faults), faults


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("string boat_name = 1;", "", "boats.v1.LeaveRequest field 1 is gone"),
        ("string boat_name = 1;", "string boat_name = 3;", "boats.v1.LeaveRequest field 1 is gone"),
        ("string boat_name", "string ship_name", "boats.v1.LeaveRequest field 1 was"),
        ("string boat_name", "bytes boat_name", "boats.v1.LeaveRequest field 1 was"),
        ("string boat_name", "optional string boat_name", "boats.v1.LeaveRequest field 1 was"),
        ("string boat_name", "repeated string boat_name", "boats.v1.LeaveRequest field 1 was"),
        ("boat_name = 1;", 'boat_name = 1 [json_name = "name"];', "boats.v1.LeaveRequest field 1 was"),
        ("KIND_SAIL", "KIND_STEAM", "boats.v1.Kind value 1 was"),
        ("returns (Leave", "returns (stream Leave", "boats.v1.BoatService.Leave was"),
        ("rpc Leave(", "rpc Depart(", "boats.v1.BoatService.Leave is gone"),
    ],
)
def test_each_broken_promise_is_found(tmp_path: Path, before: str, after: str, fault: str) -> None:
    promised = _compiled(tmp_path / "before", _CLEAN)
    changed = _compiled(tmp_path / "after", _CLEAN.replace(before, after))

    assert any(found.startswith(fault) for found in contract_rules.breaking(changed, promised))


def test_an_addition_breaks_nothing(tmp_path: Path) -> None:
    promised = _compiled(tmp_path / "before", _CLEAN)
    added = _CLEAN.replace(
        "Kind kind = 2;", "Kind kind = 2;\n  // More, any text; empty means none.\n  string more = 3;"
    )

    assert contract_rules.breaking(_compiled(tmp_path / "after", added), promised) == []


def _compiled(root: Path, text: str) -> descriptor_pb2.FileDescriptorSet:
    (root / "boats/v1").mkdir(parents=True)
    (root / "boats/v1/boats.proto").write_text(text)
    return contract_rules.compiled(root)
