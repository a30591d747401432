"""Sealed secrets: who opens them, and what is told where they cannot be opened."""

import base64

import pytest

from longshore.registry import sealing

KEY = sealing.SealKey(bytes(range(32)))
OTHER = sealing.SealKey(bytes(32))
NONCE = b"n" * sealing.NONCE_BYTES
SECRET = "s" * 40


@pytest.mark.parametrize(
    "text",
    [
        KEY.key.hex(),
        KEY.key.hex().upper() + "\n",
        base64.b64encode(KEY.key).decode() + "\r\n",
        f"\n  {KEY.key.hex()}  \n\n",
    ],
)
def test_a_seal_key_is_thirty_two_bytes_in_hexadecimal_or_base64(text: str) -> None:
    assert sealing.parse(text) == (KEY,)


def test_a_new_key_is_written_as_it_is_read() -> None:
    assert sealing.parse(sealing.render(KEY.key)) == (KEY,)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it holds no key"),
        (" \n\n", "it holds no key"),
        ("hunter2", "line 1 is not a key of 32 bytes"),
        (f"{KEY.key.hex()}\n{KEY.key.hex()[:-2]}", "line 2 is not a key of 32 bytes"),
        (base64.b64encode(bytes(33)).decode(), "line 1 is not a key"),
        ("-----BEGIN PRIVATE KEY-----", "line 1 is not a key"),
    ],
)
def test_anything_else_is_refused_without_showing_it(text: str, fault: str) -> None:
    with pytest.raises(sealing.SealKeyError, match=fault) as caught:
        sealing.parse(text)

    assert "hunter2" not in str(caught.value)
    assert KEY.key.hex()[:-2] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_first_key_seals_and_each_opens() -> None:
    old = sealing.seal((OTHER,), owner="A", secret=SECRET, nonce=NONCE)
    new = sealing.seal((KEY, OTHER), owner="A", secret=SECRET, nonce=NONCE)

    assert (old.seal, new.seal) == (OTHER.fingerprint, KEY.fingerprint)
    assert sealing.opened((KEY, OTHER), owner="A", sealed=old) == SECRET
    assert sealing.opened((KEY, OTHER), owner="A", sealed=new) == SECRET


def test_a_wrong_seal_key_is_told_by_fingerprints() -> None:
    sealed = sealing.seal((KEY,), owner="A", secret=SECRET, nonce=NONCE)

    with pytest.raises(sealing.WrongSealKeyError) as caught:
        sealing.opened((OTHER,), owner="A", sealed=sealed)

    assert str(caught.value) == f"sealed under the seal key {KEY.fingerprint}, not under {OTHER.fingerprint}"


def test_the_secret_of_one_access_key_is_not_opened_as_anothers() -> None:
    sealed = sealing.seal((KEY,), owner="A", secret=SECRET, nonce=NONCE)

    with pytest.raises(sealing.TamperedError):
        sealing.opened((KEY,), owner="B", sealed=sealed)


@pytest.mark.parametrize("length", [0, 5, sealing.NONCE_BYTES, sealing.NONCE_BYTES + 15])
def test_a_box_that_was_cut_short_is_told_as_such(length: int) -> None:
    sealed = sealing.seal((KEY,), owner="A", secret=SECRET, nonce=NONCE)

    with pytest.raises(sealing.TamperedError):
        sealing.opened((KEY,), owner="A", sealed=sealing.Sealed(sealed.seal, sealed.box[:length]))


def test_neither_a_key_nor_a_secret_is_in_what_is_printed() -> None:
    sealed = sealing.seal((KEY,), owner="A", secret=SECRET, nonce=NONCE)

    assert repr(KEY) == "SealKey()"
    assert SECRET not in repr(sealed)
    assert SECRET.encode() not in sealed.box
    assert KEY.fingerprint not in KEY.key.hex()
