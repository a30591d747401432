"""Access keys as SigV4 knows them: ids, secrets, and the key that one scope's signatures are made with. Pure."""

import hashlib
import hmac
import re
import string
from collections.abc import Callable

SERVICE = "ecs"

ID_PREFIX = "AKLS"
"""What our ids begin with: shaped as ECS's are, and not to be taken for a key of AWS."""

ID = re.compile(r"[A-Z0-9]{20}")
DAY = re.compile(r"[0-9]{8}")
REGION = re.compile(r"[a-z0-9-]{1,64}")

_ID_ALPHABET = string.ascii_uppercase + "234567"
_ID_LENGTH = 20
_SECRET_ALPHABET = string.ascii_letters + string.digits
_SECRET_LENGTH = 40
"""238 bits; letters and digits alone, so that a double click takes all of it."""

Choose = Callable[[str], str]
"""Draws one character of a text: `secrets.choice`."""


def new_id(choose: Choose) -> str:
    """The id of a new access key."""
    return ID_PREFIX + "".join(choose(_ID_ALPHABET) for _ in range(_ID_LENGTH - len(ID_PREFIX)))


def new_secret(choose: Choose) -> str:
    """The secret of a new access key."""
    return "".join(choose(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))


def signing_key(secret: str, *, day: str, region: str) -> bytes:
    """SigV4's key of a scope: good for requests of this day, to this region, of ECS, and nothing else."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
