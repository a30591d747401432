"""Names of clusters and families: which there can be, and which are asked for in lists. Pure."""

import re
from collections.abc import Container

from longshore.rpc import errors
from longshore.storage import pages

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Names of families and clusters, as references to them are read (longshore.rpc.arns)."""


def possible_part(text: str) -> bool:
    """Whether any name can hold the text. What none can need not be asked for, and not every text can be sent to a database."""
    return not text or NAME.fullmatch(text) is not None


def after(page: pages.Page) -> str:
    """The name behind which a page of names begins, empty for the first. Tokens carry no signature: anybody may have made one."""
    if not page.after:
        return ""
    if NAME.fullmatch(page.after[0]) is None:
        raise errors.InvalidParameterException("nextToken is not valid.")
    return page.after[0]


def after_revision(page: pages.Page) -> tuple[str, int] | None:
    """Family and revision behind which a page of revisions begins, None for the first."""
    if not page.after:
        return None
    family, revision = page.after
    if NAME.fullmatch(family) is None or re.fullmatch(r"[0-9]{1,9}", revision) is None:
        raise errors.InvalidParameterException("nextToken is not valid.")
    return family, int(revision)


def known(number: int, words: Container[int], field: str) -> None:
    """Refuse an enum's number that is not among its values: in JSON there is none, over gRPC there can be."""
    if number not in words:
        raise errors.InvalidParameterException(f"{field} is {number}; it must be one of ECS's values.", field=field)
