import base64
import json
from pathlib import Path

import pytest

from longshore.agent.docker import registry_credentials
from longshore.agent.docker.registry_credentials import Credential

AUTH = base64.b64encode(b"user:pass:word").decode()
USER = Credential("user", "pass:word")


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("busybox", "docker.io"),
        ("team/app:1", "docker.io"),
        ("docker.io/library/busybox", "docker.io"),
        ("index.docker.io/team/app", "docker.io"),
        ("registry.example.com/app", "registry.example.com"),
        ("127.0.0.1:5000/app@sha256:1", "127.0.0.1:5000"),
        ("localhost/app", "localhost"),
    ],
)
def test_the_registry_of_an_image_is_read_as_docker_reads_it(image: str, registry: str) -> None:
    assert registry_credentials.registry_of(image) == registry


@pytest.mark.parametrize("name", ["docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"])
def test_both_of_ecss_forms_are_read(name: str) -> None:
    old = registry_credentials.parse("dockercfg", json.dumps({name: {"auth": AUTH, "email": "a@b"}}))
    new = registry_credentials.parse("docker", json.dumps({name: {"username": "user", "password": "pass:word"}}))
    assert old == new == {"docker.io": USER}


@pytest.mark.parametrize(
    ("auth_type", "data", "says"),
    [
        ("docker", "{", "not JSON"),
        ("docker", "[]", "not a JSON object"),
        ("docker", '{"r": "s3cret"}', "what it says of r is not an object"),
        ("docker", '{"r": {"password": "s3cret"}}', "r has no username and password"),
        ("dockercfg", '{"r": {"auth": "s3cret"}}', "the auth of r is not the base64"),
        ("dockercfg", json.dumps({"r": {"auth": base64.b64encode(b"s3cret").decode()}}), "the auth of r is not"),
    ],
)
def test_what_cannot_be_read_is_named_and_not_shown(auth_type: str, data: str, says: str) -> None:
    with pytest.raises(registry_credentials.BadCredentials, match=says) as caught:
        registry_credentials.parse(auth_type, data)
    assert "s3cret" not in str(caught.value)


def test_without_a_type_nothing_was_told() -> None:
    assert registry_credentials.parse("", "anything") == {}


def test_a_credential_shows_its_user_alone() -> None:
    assert repr(Credential("user", "s3cret", "t0ken")) == "Credential(username='user')"


def test_the_header_carries_a_password_or_a_token() -> None:
    assert USER.header("r") == {"username": "user", "password": "pass:word", "serveraddress": "r"}
    assert Credential("", "", "t").header("r") == {"identitytoken": "t", "serveraddress": "r"}


def config(folder: Path, **content: object) -> registry_credentials.Credentials:
    (folder / "config.json").write_text(json.dumps(content))
    return registry_credentials.Credentials({}, folder)


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "docker-credential-unit"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


async def test_what_the_agent_was_told_comes_before_dockers_file(tmp_path: Path) -> None:
    config(tmp_path, auths={"r.io": {"auth": AUTH}})
    told = registry_credentials.Credentials({"r.io": Credential("told", "x")}, tmp_path)
    assert await told.of("r.io/app") == Credential("told", "x")


async def test_dockers_file_gives_passwords_and_tokens_by_registry(tmp_path: Path) -> None:
    found = config(tmp_path, auths={"https://r.io": {"auth": AUTH}, "t.io": {"identitytoken": "t"}, "e.io": {}})
    assert await found.of("r.io/app") == USER
    assert await found.of("t.io/app") == Credential("", "", "t")
    assert await found.of("e.io/app") is None
    assert await found.of("other.io/app") is None


@pytest.mark.parametrize("content", ["", "[]", '{"auths": 1, "credHelpers": []}'])
async def test_a_file_that_cannot_be_used_gives_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert await registry_credentials.Credentials({}, tmp_path).of("r.io/app") is None


async def test_a_helper_answers_for_its_registry_before_the_store_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, """read asked; echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$asked\\"}" """)
    found = config(tmp_path, credHelpers={"r.io": "unit"}, credsStore="none-such")
    assert await found.of("r.io/app") == Credential("get", "r.io")
    assert await found.of("other.io/app") is None
    store = config(tmp_path, credsStore="unit")
    assert await store.of("busybox") == Credential("get", "https://index.docker.io/v1/")


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "echo '{}'", "echo '[1]'"])
async def test_a_helper_that_fails_leaves_what_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    helper(tmp_path, monkeypatch, script)
    assert await config(tmp_path, credsStore="unit", auths={"r.io": {"auth": AUTH}}).of("r.io/app") == USER


async def test_a_helper_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_credentials, "HELPER_TIMEOUT_S", 0.1)
    helper(tmp_path, monkeypatch, "exec sleep 60")
    assert await config(tmp_path, credsStore="unit").of("r.io/app") is None


async def test_an_identity_token_is_not_taken_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, """echo '{"Username": "<token>", "Secret": "t"}'""")
    assert await config(tmp_path, credsStore="unit").of("r.io/app") == Credential("", "", "t")
