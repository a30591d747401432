"""The README's tour as a script: its commands in order, and what it says they print. Pure.

Ids, times and ports differ from run to run. An id or port of the README stands for the one that was really printed in its place, from
its first appearance on, also in commands; what is measured (times, free resources) has to be there and nothing more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLOCK = re.compile(r"^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "

_NAMED = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{12}\b|\bAKLS[A-Z2-7]{16}\b|(?<=127\.0\.0\.1:)\d+")
"""Ids, shortened ids, access keys, and ports: the same thing wherever it appears again."""

_MEASURED = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (s|ms|CPU units|MiB)\b"), r"SOME \2"),
    (re.compile(r"\b\d+/\d+\b"), "SOME/SOME"),
    (re.compile(r"\b\d+ of \d+ free\b"), "SOME of SOME free"),
    (re.compile(r"(?<= on )\S+ (?=\()"), "HOST "),
    (re.compile(r"(registry|scheduler|state-tracker) \d+"), r"\1 PORT"),
    (re.compile(r"(?<![\w:/])/[\w./-]*[\w-]"), "PATH"),
)

_ELSEWHERE = re.compile(r"^To use it from another shell:\n(?:  export .*\n)+", re.MULTILINE)
"""What `up` adds where the ports are not the usual ones."""

_GAPS = re.compile(r" {2,}|─+")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the tour, and what is said to follow it."""

    command: str
    expected: str


def steps(markdown: str) -> Iterator[Step]:
    """Every command of every console block, in order."""
    for block in _BLOCK.finditer(markdown):
        command = ""
        printed: list[str] = []
        for line in block["body"].splitlines(keepends=True):
            if line.startswith(PROMPT):
                if command:
                    yield Step(command, "".join(printed))
                command, printed = line.removeprefix(PROMPT).rstrip("\n"), []
            else:
                printed.append(line)
        yield Step(command, "".join(printed))


@dataclass(slots=True)
class Names:
    """What the README's ids and ports stand for in this run."""

    real: dict[str, str] = field(default_factory=dict)

    def in_command(self, command: str) -> str:
        """A command with the names of this run. Raises KeyError for one that nothing has printed before."""
        return _NAMED.sub(lambda match: self.real[match[0]], command)

    def learn(self, expected: str, printed: str) -> None:
        """Bind the names of the README to those in the same places of what was printed."""
        found = _NAMED.findall(_ELSEWHERE.sub("", printed))
        for written, real in zip(_NAMED.findall(expected), found, strict=False):
            self.real.setdefault(written, real)

    def in_output(self, expected: str) -> str:
        """What the README says with the names of this run."""
        return _NAMED.sub(lambda match: self.real.get(match[0], match[0]), expected)


def normalised(printed: str) -> list[str]:
    """Lines without what is measured, without the widths of columns, and without what other ports add."""
    text = _ELSEWHERE.sub("", printed)
    for pattern, word in _MEASURED:
        text = pattern.sub(word, text)
    return [_GAPS.sub("  ", line).rstrip() for line in text.splitlines()]
