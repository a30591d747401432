"""The opaque cursor of a cluster's event log: a position that RunTask answers, WatchEvents gives and takes. Pure.

It names its cluster, so that one of another cluster is refused instead of silently meaning another place.
"""

import base64
import binascii

from longshore.rpc import errors

# Says what the rest means, so that the form can change and old cursors are still told apart.
_FORM = "1"


def render(cluster: str, sequence: int) -> str:
    """The cursor of the position just after the event with this sequence number."""
    return base64.urlsafe_b64encode(f"{_FORM}:{sequence}:{cluster}".encode()).rstrip(b"=").decode()


def parse(text: str, *, cluster: str) -> int:
    """The sequence number of a cursor of this cluster. Raises InvalidParameterException for anything else."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        raw = ""
    form, _, rest = raw.partition(":")
    digits, _, name = rest.partition(":")
    if form != _FORM or not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(1 << 63)):
        raise errors.InvalidParameterException("cursor is not valid: it is not one that Longshore returned.")
    if name != cluster:
        raise errors.InvalidParameterException(f"cursor is not valid: it is of cluster {name}, not of {cluster}.")
    return int(digits)
