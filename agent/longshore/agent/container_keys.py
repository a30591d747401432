"""The unguessable ids under which containers find their metadata. Pure.

An id is a keyed hash of task and container; the key is made of the instance's credential, which is random, secret and kept in the state
file. So an id is the same after every restart of the agent without being written down anywhere, and nobody can work out another's.
"""

import hashlib
import hmac

_PURPOSE = b"task metadata"
_DIGITS = 40
"""160 bits: more than anybody can try."""


class Keys:
    """The ids of one identity's containers."""

    def __init__(self, credential: str) -> None:
        self._key = hmac.digest(credential.encode(), _PURPOSE, hashlib.sha256)

    def of(self, task_id: str, container: str) -> str:
        """The id of a container."""
        return hmac.new(self._key, f"{task_id}/{container}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]
