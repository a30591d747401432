"""Cursors: a position in a cluster's log as clients carry it, opaque to them. Pure.

The text names the cluster, so that a cursor of another one is refused instead of pointing somewhere.
"""

import base64
import binascii
import re

from longshore.rpc import errors

_TEXT = re.compile(r"1:(?P<cluster>[^:]+):(?P<sequence>\d{1,19})")
"""Format 1: cluster and sequence of the last event that is known."""


def encode(cluster: str, sequence: int) -> str:
    """The cursor after the event with this sequence."""
    return base64.urlsafe_b64encode(f"1:{cluster}:{sequence}".encode()).decode().rstrip("=")


def decode(cursor: str, cluster: str) -> int:
    """The sequence of a cursor of this cluster. Raises InvalidParameterException for any other text."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise errors.InvalidParameterException("The cursor is not one that Longshore gave out.")
    if match["cluster"] != cluster:
        raise errors.InvalidParameterException(
            f"The cursor belongs to cluster {match['cluster']}, not to {cluster}.", cluster=match["cluster"]
        )
    return int(match["sequence"])
