"""Secrets sealed at rest: AES-256-GCM under a seal key, of which only a fingerprint is ever shown. Pure.

`cryptography` is imported at the first secret that is sealed or opened: a control plane without access keys never loads it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY_BYTES = 32
NONCE_BYTES = 12
"""96 bits, as GCM wants it; drawn at random, which is safe for billions of secrets under one key."""

_FINGERPRINT_BYTES = 8
_FINGERPRINT_OF = b"longshore: fingerprint of a seal key"
_HEX = re.compile(rf"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}")


class SealKeyError(ValueError):
    """The text or file of seal keys is not usable. The message never holds any part of a key."""


class WrongSealKeyError(Exception):
    """A secret was sealed under a key that is not among those at hand."""

    def __init__(self, sealed_under: str, at_hand: Sequence[str]) -> None:
        super().__init__(f"sealed under the seal key {sealed_under}, not under {' or '.join(at_hand)}")
        self.sealed_under = sealed_under
        self.at_hand = tuple(at_hand)


class TamperedError(Exception):
    """A sealed secret is not what was once sealed for this access key."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """One seal key. Its repr shows the fingerprint alone."""

    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell one key from another, and nothing of the key."""
        return hmac.new(self.key, _FINGERPRINT_OF, hashlib.sha256).digest()[:_FINGERPRINT_BYTES].hex()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret, and the fingerprint of the key that opens it."""

    seal: str
    box: bytes


def parse(text: str) -> tuple[SealKey, ...]:
    """The seal keys of a file, one a line: 32 bytes in hexadecimal or base64. The first seals, each opens."""
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(_key(line, number) for number, line in enumerate(lines, start=1) if line)
    if not keys:
        raise SealKeyError("it holds no key")
    return keys


def render(key: bytes) -> str:
    """The line of a new seal key."""
    return f"{base64.b64encode(key).decode()}\n"


def seal(keys: Sequence[SealKey], *, owner: str, secret: str, nonce: bytes) -> Sealed:
    """Seal a secret under the first key, for the access key `owner` alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    box = AESGCM(keys[0].key).encrypt(nonce, secret.encode(), owner.encode())
    return Sealed(keys[0].fingerprint, nonce + box)


def opened(keys: Sequence[SealKey], *, owner: str, sealed: Sealed) -> str:
    """The secret. Raises WrongSealKeyError, or TamperedError where the box is not the one that was sealed for this owner."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = next((key for key in keys if key.fingerprint == sealed.seal), None)
    if key is None:
        raise WrongSealKeyError(sealed.seal, [key.fingerprint for key in keys])
    try:
        return AESGCM(key.key).decrypt(sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:], owner.encode()).decode()
    except (InvalidTag, ValueError) as error:  # ValueError: cut short
        raise TamperedError(f"the sealed secret of {owner} is not the one that was sealed") from error


def _key(line: str, number: int) -> SealKey:
    try:
        raw = bytes.fromhex(line) if _HEX.fullmatch(line) else base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        # Told from None: the cause would show the line.
        raise SealKeyError(f"line {number} is not a key of {KEY_BYTES} bytes in hexadecimal or base64") from None
    return SealKey(raw)
