"""Rules about tags: ecs.md section 1.1. For every request that carries them, under the name `tags`. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from longshore.registry import faults, rule
from longshore.registry.rule import Rule, Subject, Table

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
RESERVED = "aws:"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A request with tags."""

    message: Message
    label: str = "the tags"
    path: str = ""


RULES: tuple[Rule[Subject], ...] = (
    Rule("tags-count", "ecs.md 1.1", rule.at_most("tags", MAX_TAGS), f"must be at most {MAX_TAGS} tags long"),
    Rule("tag-key-required", "ecs.md 1.1", rule.required("tags[].key"), "must be a text"),
    Rule(
        "tag-key-length",
        "ecs.md 1.1",
        rule.each("tags[].key", rule.no_longer_than(MAX_KEY)),
        f"must be at most {MAX_KEY} characters long",
    ),
    Rule(
        "tag-value-length",
        "ecs.md 1.1",
        rule.each("tags[].value", rule.no_longer_than(MAX_VALUE)),
        f"must be at most {MAX_VALUE} characters long",
    ),
    Rule(
        "tag-key-reserved",
        "ecs.md 1.1",
        rule.each("tags[].key", lambda key: not str(key).lower().startswith(RESERVED)),
        f"must not begin with '{RESERVED}', in whatever case",
    ),
    Rule("tag-key-once", "ecs.md 1.1", rule.unique("tags[].key"), "must be given once"),
)


def of(message: Message) -> Iterator[faults.Fault]:
    """What is wrong with a request's tags."""
    return Table(RULES).faults((Tagged(message),))
