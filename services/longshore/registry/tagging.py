"""How tags change. Pure: the lists go in and out, whoever owns them stores them."""

from collections.abc import Callable, Collection, Sequence

from longshore.registry import rules_tags
from longshore.rpc import errors
from longshore.v1 import common_pb2, registry_service_pb2

Tags = Sequence[common_pb2.Tag]
Change = Callable[[Tags], list[common_pb2.Tag]]
"""From the tags that are to those that shall be. Has to be repeatable, as a transaction is."""


def adding(added: Tags) -> Change:
    """Tags are added; one whose key is there takes the new value. Raises LimitExceededException where they become too many."""

    def change(present: Tags) -> list[common_pb2.Tag]:
        by_key = {tag.key: tag for tag in present} | {tag.key: tag for tag in added}
        if len(by_key) > rules_tags.MAX_TAGS:
            raise errors.LimitExceededException(
                f"The resource would have {len(by_key)} tags; it can have {rules_tags.MAX_TAGS}.",
                tags=len(by_key),
                limit=rules_tags.MAX_TAGS,
            )
        return list(by_key.values())

    return change


def removing(keys: Collection[str]) -> Change:
    """The tags with these keys are removed; keys that are not there are ignored."""
    return lambda present: [tag for tag in present if tag.key not in keys]


def packed(tags: Tags) -> bytes:
    """Tags as the column of a task definition holds them: a message with the one field `tags`."""
    return registry_service_pb2.ListTagsForResourceResponse(tags=tags).SerializeToString()


def unpacked(column: bytes) -> list[common_pb2.Tag]:
    """Tags of a column."""
    return list(registry_service_pb2.ListTagsForResourceResponse.FromString(column).tags)
