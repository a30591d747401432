"""Ids, secrets and derived keys of access keys."""

import hashlib
import hmac
import itertools
import re
import secrets

from botocore import auth, awsrequest, credentials

from longshore.registry import signing


def test_ids_and_secrets_have_the_form_that_tools_expect() -> None:
    ids = {signing.new_id(secrets.choice) for _ in range(100)}
    made = {signing.new_secret(secrets.choice) for _ in range(100)}

    assert len(ids) == len(made) == 100
    assert all(re.fullmatch(r"AKLS[A-Z2-7]{16}", one) and signing.ID.fullmatch(one) for one in ids)
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", one) for one in made)


def test_every_character_is_drawn() -> None:
    drawn: list[str] = []
    turn = itertools.count()

    def choose(alphabet: str) -> str:
        drawn.append(alphabet)
        return alphabet[next(turn) % len(alphabet)]

    assert signing.new_id(choose) == "AKLSABCDEFGHIJKLMNOP"
    assert len(drawn) == 16
    assert len(signing.new_secret(choose)) == 40
    assert len(drawn) == 56


def test_what_is_signed_with_the_derived_key_is_what_botocore_signs() -> None:
    signer = auth.SigV4Auth(credentials.Credentials("AKLSABCDEFGHIJKLMNOP", "s3cret"), "ecs", "eu-west-1")
    request = awsrequest.AWSRequest(method="POST", url="http://127.0.0.1:8700/")
    request.context["timestamp"] = "20261122T213000Z"
    derived = signing.signing_key("s3cret", day="20261122", region="eu-west-1")

    assert hmac.new(derived, b"what is signed", hashlib.sha256).hexdigest() == signer.signature(
        "what is signed", request
    )


def test_another_day_region_or_secret_has_another_key() -> None:
    keys = {
        signing.signing_key(secret, day=day, region=region)
        for secret in ("a", "b")
        for day in ("20261122", "20261123")
        for region in ("us-east-1", "eu-west-1")
    }

    assert len(keys) == 8
