"""JSON text: what is no JSON, and what is doubled."""

import json

import pytest

from longshore.rpc import codec
from longshore.v1 import registry_service_pb2

pytestmark = pytest.mark.unit

Register = registry_service_pb2.RegisterTaskDefinitionRequest


def problem(text: str | bytes) -> str:
    with pytest.raises(codec.CodecError) as refused:
        codec.loads(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON: line 1, column 1: Expecting value"),
        ('{\n "a": }', "not JSON: line 2, column 7: Expecting value"),
        ('{"a": NaN}', "not JSON: NaN is no number"),
        ("[-Infinity]", "not JSON: -Infinity is no number"),
        (b'{"a": "\xff"}', "not UTF-8: byte 7"),
        ("[" * 100_000, "not accepted: nested too deeply"),
        ("9" * 5000, "not accepted: a number with more digits than can be read"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str | bytes, told: str) -> None:
    assert problem(text) == told


def test_doubled_keys_are_told_with_their_paths() -> None:
    text = '{"a": 1, "b": [0, {"c": 1, "d.e": {"f": 1, "f": 2}, "c": 2}], "a": 3}'
    assert problem(text).splitlines() == ["a: given twice", "b[1].c: given twice", 'b[1]["d.e"].f: given twice']


def test_a_key_given_three_times_is_told_once() -> None:
    assert problem('{"a": 1, "a": 2, "a": 3}') == "a: given twice"


def test_the_same_key_in_two_objects_is_no_double() -> None:
    assert codec.loads('[{"a": 1}, {"a": 1, "b": {"a": 2}}]') == [{"a": 1}, {"a": 1, "b": {"a": 2}}]


def test_doubled_keys_are_told_together_with_the_other_faults() -> None:
    with pytest.raises(codec.CodecError) as refused:
        codec.from_json(Register, '{"family": "a", "family": "b", "cpu": 256, "dockerLabls": {}}')
    assert [str(fault) for fault in refused.value.faults] == [
        "family: given twice",
        "cpu: expected a string, got a number",
        "unknown member 'dockerLabls'",
    ]


def test_the_number_of_doubled_keys_told_is_bounded() -> None:
    pairs = ", ".join(f'"k{number}": 1, "k{number}": 2' for number in range(1000))
    lines = problem(f"{{{pairs}}}").splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and more"


def test_order_is_kept_both_ways() -> None:
    text = '{"z":1,"a":{"y":[2,1],"b":null}}'
    assert codec.dumps(codec.loads(text)) == text


def test_text_is_written_as_it_is_and_indented_on_demand() -> None:
    assert codec.dumps({"a": "é"}) == '{"a":"é"}'
    assert codec.dumps({"a": [1]}, indent=4) == json.dumps({"a": [1]}, indent=4)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_does_not_have_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.dumps({"a": number})
