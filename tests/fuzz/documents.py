"""Damage to a JSON document: in its structure first, then in its text.

Pure. What Python cannot hold, or would not write (a key twice, a number of 5,000 digits), stands in the structure as a mark and is
put in when the text is written.
"""

import copy
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

Place = tuple[Any, Any]
"""A container and the key or index in it."""

DEPTHS = (50, 2_000, 100_000)

MARKS: Mapping[str, str] = {
    "@digits@": "9" * 5_000,
    "@exponent@": "1e999999",
    "@minus@": "-0",
    "@leading@": "007",
    "@fraction@": "1." + "3" * 400,
    "@hex@": "0x10",
    "@infinity@": "-Infinity",
    "@nan@": "NaN",
    "@half@": '"\\ud800"',
    "@reversed@": '"\\udc00\\ud800"',
    "@nul@": '"\\u0000"',
    "@escape@": '"\\x41"',
    "@control@": '"\x01"',
    "@single@": "'a'",
    "@nothing@": "",
} | {f"@deep{depth}@": "[" * depth + "]" * depth for depth in DEPTHS} | {
    f"@deeper{depth}@": '{"a":' * depth + "1" + "}" * depth for depth in DEPTHS
}  # fmt: skip

MOST_OF_A_MARK = 2
"""Of a mark that was repeated a thousand times; it bounds the text at a few megabytes, several times what the gateway takes."""

MOST_REPEATED = 1_000
"""Characters of a list that is repeated."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30, 0.5, -0.0, 1.0, 1e308, 5e-324,
    "", " ", "a", "\u0000", "\ud800", "\uffff", "\U0001f6a2", "é" * 50, "e\u0301", "../..", "%00", "${jndi}", "' OR 1=1 --",
    "x" * 300, "x" * 70_000, "arn:aws:ecs", "arn:aws:ecs:::task/", "arn:aws:ecs:us-east-1:1:task/a/b/c", ":", "/", "web:0", "web:-1",
    "web:99999999999999999999", "attribute:", "((((", "not " * 2_000, "(" * 2_000, [], {}, [None], {"": ""}, ["a"] * 300,
    *MARKS,
)  # fmt: skip
"""What is put where something else belongs."""

NAMES = ("", "Cluster", "CLUSTER", "cluster_name", "unknown", "x" * 500, "\ud800", "a.b", "__class__", "é", "cluster ")
"""What a member is called instead."""


def disturbed(document: dict[str, Any], chance: random.Random) -> bytes:
    """The text of a document with one to three things wrong with it."""
    value: Any = json.loads(json.dumps(document))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = chance.choice(_CHANGES)(value, chance)
    text = written(value, ascii_only=chance.random() < 0.7)
    if chance.random() < 0.15:
        text = _doubled(text, chance)
    data = text.encode("utf-8", "surrogatepass")
    return chance.choice(_DAMAGES)(data, chance) if chance.random() < 0.3 else data


def written(value: Any, *, ascii_only: bool = True) -> str:
    """A value as text, its marks replaced."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    if "@" in text:
        for mark, instead in MARKS.items():
            text = text.replace(f'"{mark}"', instead, MOST_OF_A_MARK)
    return text


# ------------------------------------------------------------------------------------------- structure


def _places(value: Any) -> list[Place]:
    found: list[Place] = []
    open_values = [value]
    while open_values:
        current = open_values.pop()
        if isinstance(current, dict | list):
            keys = current if isinstance(current, dict) else range(len(current))
            found += [(current, key) for key in keys]
            open_values += [current[key] for key in keys]
    return found


def _intruder(chance: random.Random) -> Any:
    return copy.copy(chance.choice(VALUES))  # what comes next may change it in its place


def _replace(value: Any, chance: random.Random) -> Any:
    places = _places(value)
    if not places or chance.random() < 0.02:
        return _intruder(chance)
    container, key = chance.choice(places)
    container[key] = _intruder(chance)
    return value


def _remove(value: Any, chance: random.Random) -> Any:
    places = _places(value)
    if places:
        container, key = chance.choice(places)
        del container[key]
    return value


def _rename(value: Any, chance: random.Random) -> Any:
    members = [(container, key) for container, key in _places(value) if isinstance(container, dict)]
    if members:
        container, key = chance.choice(members)
        item = container.pop(key)
        container[chance.choice((*NAMES, key.upper(), key + "s", key[:-1]))] = item
    return value


def _add(value: Any, chance: random.Random) -> Any:
    objects = [item for item in (value, *(c[k] for c, k in _places(value))) if isinstance(item, dict)]
    if objects:
        chance.choice(objects)[chance.choice(NAMES)] = _intruder(chance)
    return value


def _wrap(value: Any, chance: random.Random) -> Any:
    places = _places(value)
    if places:
        container, key = chance.choice(places)
        container[key] = chance.choice(([container[key]], {"a": container[key]}, written(container[key])))
    return value


def _repeat(value: Any, chance: random.Random) -> Any:
    lists = [container[key] for container, key in _places(value) if isinstance(container[key], list)]
    filled = [found for found in lists if found and len(repr(found)) < MOST_REPEATED]
    if filled:
        found = chance.choice(filled)
        # Copies, so that what is changed next is changed in one of them.
        found += [copy.deepcopy(item) for _ in range(chance.choice((1, 10, 100, 1_000))) for item in tuple(found)]
    return value


_CHANGES: tuple[Callable[[Any, random.Random], Any], ...] = (
    _replace,
    _replace,
    _replace,
    _remove,
    _rename,
    _add,
    _wrap,
    _repeat,
)


# ------------------------------------------------------------------------------------------- text


def _doubled(text: str, chance: random.Random) -> str:
    """Give a member twice, in the same object: with the same value, or with another."""
    places = [at for at, character in enumerate(text[:2_000]) if character == "{"]
    if not places:
        return text
    at = chance.choice(places) + 1
    name = text[at:].partition(":")[0]
    if not (name.startswith('"') and name.endswith('"')):
        return text
    return f"{text[:at]}{name}:{chance.choice(('null', '1', '[]'))},{text[at:]}"


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 4, 16))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    return (
        data[:at]
        + chance.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b",", b"}", b"\n" * 500))
        + data[at:]
    )


def _recode(data: bytes, chance: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")), "replace")


def _twice(data: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((b"", b" ", b"\n", b",")) + data


def _else(data: bytes, chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"",
            b"null",
            b"[]",
            b'"a"',
            b"0",
            b" ",
            b"Action=ListClusters&Version=2014-11-13",
            b"<xml/>",
            chance.randbytes(200),
        )
    )


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_flip, _cut, _insert, _recode, _twice, _else)
