"""Credentials for image registries, as ECS's agent and Docker's own client take them.

| source | what it holds |
|---|---|
| `LONGSHORE_ENGINE_AUTH_TYPE=dockercfg` | in `LONGSHORE_ENGINE_AUTH_DATA` the JSON of an old `.dockercfg`: registries with `auth` (base64 of user:password) |
| `LONGSHORE_ENGINE_AUTH_TYPE=docker` | there, registries with `username`, `password`, `email` |
| `config.json` in `$DOCKER_CONFIG` or `~/.docker` | `auths`, and helpers: `credHelpers` for one registry, `credsStore` for all |

What the agent was told comes first. The file is read again for each pull, so that `docker login` takes effect at once. A password is
never in an error, a log line or a repr.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

_log = structlog.get_logger(__name__)

DOCKER_HUB = "docker.io"
HELPER_TIMEOUT_S = 10.0
"""A helper may have to ask a key store of the system; one that waits for a person never answers here."""
IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 - what helpers answer in place of a user
AUTH_TYPES = ("", "dockercfg", "docker")

_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


class BadCredentials(ValueError):  # noqa: N818 - named by what is wrong
    """What was given is not what its type says. The message names the fault and never what was given."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What is shown to one registry."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)

    def header(self, registry: str) -> dict[str, str]:
        """What Docker's X-Registry-Auth holds."""
        if self.identity_token:
            return {"identitytoken": self.identity_token, "serveraddress": registry}
        return {"username": self.username, "password": self.password, "serveraddress": registry}


def registry_of(image: str) -> str:
    """Host of the registry that an image comes from."""
    first, slash, _ = image.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return DOCKER_HUB if first in _HUB_NAMES else first
    return DOCKER_HUB


def parse(auth_type: str, data: str) -> Mapping[str, Credential]:
    """What the settings `engine_auth_type` and `engine_auth_data` (ECS_ENGINE_AUTH_* of ECS's agent) give, by registry. BadCredentials where that is not what it says."""
    if not auth_type:
        return {}
    try:
        given = json.loads(data)
    except ValueError:
        raise BadCredentials("it is not JSON") from None
    if not isinstance(given, dict):
        raise BadCredentials("it is not a JSON object of registries")
    return {_host(name): _credential(name, entry, auth_type) for name, entry in given.items()}


def _credential(name: str, entry: object, auth_type: str) -> Credential:
    if not isinstance(entry, dict):
        raise BadCredentials(f"what it says of {name} is not an object")
    if auth_type == "dockercfg":
        found = _decoded(entry.get("auth"))
        if found is None:
            raise BadCredentials(f"the auth of {name} is not the base64 of user:password")
        return found
    username, password = entry.get("username"), entry.get("password")
    if not (isinstance(username, str) and isinstance(password, str)):
        raise BadCredentials(f"{name} has no username and password")
    return Credential(username, password)


def _decoded(auth: object) -> Credential | None:
    try:
        username, colon, password = base64.b64decode(str(auth or ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return None
    return Credential(username, password) if colon else None


def _host(name: str) -> str:
    """A registry's host of the many ways in which it is written: `https://index.docker.io/v1/` is Docker Hub."""
    bare = name.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return DOCKER_HUB if bare in _HUB_NAMES else bare


class Credentials:
    """Who to be for each registry."""

    def __init__(self, told: Mapping[str, Credential], docker_config: Path | None) -> None:
        self._told = told
        self._file = docker_config / "config.json" if docker_config is not None else None

    async def of(self, image: str) -> Credential | None:
        """The credential for the registry of an image; None where there is none."""
        registry = registry_of(image)
        told = self._told.get(registry)
        if told is not None or self._file is None:
            return told
        config = await asyncio.to_thread(_read, self._file)
        helper = _section(config, "credHelpers").get(registry) or config.get("credsStore")
        if isinstance(helper, str) and helper:
            found = await _helped(helper, registry)
            if found is not None:
                return found
        for name, entry in _section(config, "auths").items():
            if _host(name) == registry and isinstance(entry, dict):
                token = entry.get("identitytoken")
                return Credential("", "", str(token)) if token else _decoded(entry.get("auth"))
        return None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("docker_config_not_read", file=str(file), error_reason=type(error).__name__)
        return {}
    return found if isinstance(found, dict) else {}


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


async def _helped(helper: str, registry: str) -> Credential | None:
    """What `docker-credential-HELPER get` answers for a registry; None where it knows none or fails."""
    asked = "https://index.docker.io/v1/" if registry == DOCKER_HUB else registry
    try:
        process = await asyncio.create_subprocess_exec(
            f"docker-credential-{helper}",
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        _log.warning("credential_helper_not_run", helper=helper, error_reason=str(error))
        return None
    try:
        async with asyncio.timeout(HELPER_TIMEOUT_S):
            answer, _ = await process.communicate(asked.encode())
    except TimeoutError:
        _log.warning("credential_helper_timed_out", helper=helper)
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return None  # it knows none for this registry
    try:
        found = json.loads(answer)
        username, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError):
        _log.warning("credential_helper_not_understood", helper=helper)
        return None
    return Credential("", "", secret) if username == IDENTITY_TOKEN_USER else Credential(username, secret)
