"""What differs between Longshore and the moto server when both are asked the same, each with a verdict: data beside the tests."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.comparing import Difference

FILE = Path(__file__).with_name("differences.toml")
VERDICTS = ("moto is wrong", "on purpose", "set up differently")

_HEAD = """The same calls, in the same order, to Longshore and to the emulator that most tests of other projects run against (moto {moto}),
through boto3. Every difference is here; a new one fails the tests, and so does a line that nothing differs for any more.
"""


_MENDED = "Where Longshore was wrong, it was mended, and differs no more:"


@dataclass(frozen=True, slots=True)
class Mended:
    """Something that was wrong here, as it was and as it is."""

    calls: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table: which calls and paths it speaks of, what either side has there, who is right, and why."""

    calls: str
    path: str
    ours: str
    moto: str
    verdict: str
    why: str

    def speaks_of(self, difference: Difference) -> bool:
        """Whether a difference is one of those meant."""
        return _matches(self.calls, difference.step) and _matches(self.path, difference.path)


def verdicts() -> list[Verdict]:
    """The table, in its order."""
    return [Verdict(**entry) for entry in tomllib.loads(FILE.read_text())["difference"]]


def mended() -> list[Mended]:
    """What is no difference any more."""
    return [Mended(**entry) for entry in tomllib.loads(FILE.read_text())["mended"]]


def rendered() -> Iterator[str]:
    """The table for docs/conformance.md."""
    import moto

    series = ".".join(moto.__version__.split(".")[:2])
    yield from _HEAD.format(moto=series).splitlines()
    yield ""
    yield "| calls | what | Longshore | moto | verdict | why |"
    yield "|---|---|---|---|---|---|"
    for line in verdicts():
        calls = "all" if line.calls == "*" else line.calls
        what = {"!": "whether it is refused", "!*": "the refusal", "!message": "the refusal's text"}.get(
            line.path, f"`{line.path}`"
        )
        yield f"| {calls} | {what} | {line.ours} | {line.moto} | {line.verdict} | {line.why} |"
    yield from ("", _MENDED, "", "| calls | was | is |", "|---|---|---|")
    for entry in mended():
        yield f"| {entry.calls} | {entry.was} | {entry.now} |"


def _matches(pattern: str, text: str) -> bool:
    """Whether a text is as the pattern says, in which `*` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
