"""One table of calls and messages, and every language's stubs agree on what comes of each."""

import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.clients import languages
from tests.e2e import stacks

TABLE = json.loads(Path(__file__).with_name("cases.json").read_text())
pytestmark = [pytest.mark.timeout(180)]

_MASKED = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "<time>"),
)
"""What differs each time. A time is written to the microsecond, as the database keeps it."""


@pytest.fixture(scope="module", params=languages.ALL, ids=languages.ids())
def results(request: pytest.FixtureRequest, live: stacks.Stack) -> dict[str, Any]:
    """What one language's program makes of the table, by the cases' names."""
    language: languages.Language = request.param
    run = f"cases-{language.name}-{secrets.token_hex(4)}"
    asked = json.dumps({kind: [_asked(case) for case in cases] for kind, cases in TABLE.items()})
    printed = language.run("cases", live, stdin=asked.replace("${run}", run)).replace(run, "<run>")
    return {result["name"]: result for result in json.loads(printed)}


def test_every_call_is_answered_as_expected(results: dict[str, Any]) -> None:
    """Codes, names and messages of errors are all there is of them; of an answer the table names what matters."""
    wrong = []
    for case in TABLE["calls"]:
        expected, got = case["expected"], _masked(results[case["name"]])
        if not _holds(expected, got):
            wrong.append(f"{case['name']}:\n  expected {json.dumps(expected)}\n  got      {json.dumps(got)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("message", TABLE["messages"], ids=lambda message: message["name"])
def test_every_message_is_read_as_expected(results: dict[str, Any], message: dict[str, Any]) -> None:
    """As JSON, as the language's own types, and written anew byte by byte, with members that are not known."""
    assert results[message["name"]] == {"name": message["name"], "bytes": message["bytes"], **message["expected"]}


def _masked(result: dict[str, Any]) -> Any:
    text = json.dumps(result, ensure_ascii=False)
    for pattern, mask in _MASKED:
        text = pattern.sub(mask, text)
    return json.loads(text)


def _asked(case: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key != "expected"}


def _holds(expected: Any, got: Any) -> bool:
    """Whether all that is expected is there. Of a list that is every item, in order; an empty answer is really empty."""
    if isinstance(expected, dict):
        if not expected:
            return bool(got == {})
        return isinstance(got, dict) and all(key in got and _holds(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(_holds(*pair) for pair in zip(expected, got, strict=True))
        )
    return type(expected) is type(got) and bool(expected == got)
