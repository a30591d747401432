"""Tags of a container instance: ECS's rules, and what adding and removing give. Pure."""

import re
from collections.abc import Iterable, Sequence

from longshore.rpc import errors
from longshore.v1 import common_pb2

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
RESERVED = "aws:"

_CHARACTERS = re.compile(r"[\w\s+\-=._:/@]*")


def check(tags: Sequence[common_pb2.Tag]) -> None:
    """Refuse tags that ECS does not take."""
    keys = [tag.key for tag in tags]
    for tag in tags:
        if not 1 <= len(tag.key) <= MAX_KEY:
            raise errors.InvalidParameterException(f"A tag key has 1 to {MAX_KEY} characters, this one {len(tag.key)}.")
        if len(tag.value) > MAX_VALUE:
            raise errors.InvalidParameterException(
                f"A tag value has at most {MAX_VALUE} characters, that of {tag.key} has {len(tag.value)}."
            )
        if tag.key.lower().startswith(RESERVED):
            raise errors.InvalidParameterException(f"Tag keys beginning with aws: are reserved, {tag.key} is one.")
        if not (_CHARACTERS.fullmatch(tag.key) and _CHARACTERS.fullmatch(tag.value)):
            raise errors.InvalidParameterException(
                f"Tag {tag.key} has characters other than letters, numbers, spaces and + - = . _ : / @."
            )
    if len(keys) != len(set(keys)):
        raise errors.InvalidParameterException("A tag key occurs more than once.")
    _check_count(len(keys))


def added(before: Iterable[common_pb2.Tag], new: Sequence[common_pb2.Tag]) -> list[common_pb2.Tag]:
    """The tags, by key, with new ones added and values overwritten."""
    after = {tag.key: tag for tag in before}
    after.update({tag.key: tag for tag in new})
    _check_count(len(after))
    return [after[key] for key in sorted(after)]


def removed(before: Iterable[common_pb2.Tag], keys: Iterable[str]) -> list[common_pb2.Tag]:
    """The tags without those of these keys."""
    gone = frozenset(keys)
    return [tag for tag in before if tag.key not in gone]


def _check_count(count: int) -> None:
    if count > MAX_TAGS:
        raise errors.InvalidParameterException(f"A resource can have {MAX_TAGS} tags; this would make {count}.")
