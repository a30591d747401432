"""Options before the command that people write after it, as the aws cli takes them: `longshore task list --output json`. Pure."""

import itertools
from collections.abc import Container, Sequence

GLOBAL = ("--output", "-o", "--server")

OPTIONAL_VALUES = {"--wait-for-capacity": "10m"}
"""Options that may stand without a value, and what they mean then. A value is written behind an equals sign."""


def hoisted(argv: Sequence[str], own_options: Container[str]) -> list[str]:
    """The arguments with global options moved to the front.

    What follows a command in `own_options` (a component's, which parses its own) stays as it is, and so does what follows `--`. A
    value that reads like a global option must be written behind an equals sign: `--reason=--output`. An option with an optional value
    gets it where it has none.
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--" or (not rest and word in own_options):
            rest += [word, *words]
        elif word in GLOBAL:
            front += [word, *itertools.islice(words, 1)]
        elif word.startswith(tuple(f"{option}=" for option in GLOBAL)) or _is_short_with_value(word):
            front.append(word)
        else:
            rest.append(f"{word}={OPTIONAL_VALUES[word]}" if word in OPTIONAL_VALUES else word)
    return front + rest


def _is_short_with_value(word: str) -> bool:
    """Whether a word is `-ojson`: click takes it so, but only before the command."""
    return word.startswith("-o") and len(word) > len("-o")
