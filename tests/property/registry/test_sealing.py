"""What holds for every secret that is sealed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.registry import sealing

KEYS = st.binary(min_size=32, max_size=32).map(sealing.SealKey)
NONCES = st.binary(min_size=sealing.NONCE_BYTES, max_size=sealing.NONCE_BYTES)
TEXTS = st.text(max_size=60)


@given(keys=st.lists(KEYS, min_size=1, max_size=4), owner=TEXTS, secret=TEXTS, nonce=NONCES, order=st.randoms())
def test_what_was_sealed_opens_with_any_set_of_keys_that_holds_its_own(
    keys: list[sealing.SealKey], owner: str, secret: str, nonce: bytes, order: random.Random
) -> None:
    sealed = sealing.seal(keys, owner=owner, secret=secret, nonce=nonce)
    shuffled = list(keys)
    order.shuffle(shuffled)

    assert sealing.opened(shuffled, owner=owner, sealed=sealed) == secret


@given(key=KEYS, other=KEYS, owner=TEXTS, secret=TEXTS, nonce=NONCES)
def test_another_key_opens_nothing_and_is_told_apart(
    key: sealing.SealKey, other: sealing.SealKey, owner: str, secret: str, nonce: bytes
) -> None:
    sealed = sealing.seal((key,), owner=owner, secret=secret, nonce=nonce)
    if key != other:
        with pytest.raises(sealing.WrongSealKeyError):
            sealing.opened((other,), owner=owner, sealed=sealed)
        # Nor does it where the fingerprint is forged.
        with pytest.raises(sealing.TamperedError):
            sealing.opened((other,), owner=owner, sealed=sealing.Sealed(other.fingerprint, sealed.box))


@given(key=KEYS, owner=TEXTS, secret=TEXTS, nonce=NONCES, data=st.data())
def test_no_changed_bit_goes_unnoticed(
    key: sealing.SealKey, owner: str, secret: str, nonce: bytes, data: st.DataObject
) -> None:
    sealed = sealing.seal((key,), owner=owner, secret=secret, nonce=nonce)
    box = bytearray(sealed.box)
    bit = data.draw(st.integers(0, len(box) * 8 - 1))
    box[bit // 8] ^= 1 << bit % 8

    with pytest.raises(sealing.TamperedError):
        sealing.opened((key,), owner=owner, sealed=sealing.Sealed(sealed.seal, bytes(box)))


@given(text=st.text(max_size=200))
def test_a_text_is_read_as_whole_keys_or_refused(text: str) -> None:
    try:
        keys = sealing.parse(text)
    except sealing.SealKeyError:
        return
    assert keys
    assert all(len(key.key) == sealing.KEY_BYTES for key in keys)
