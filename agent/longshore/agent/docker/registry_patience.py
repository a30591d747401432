"""For how long a registry that has answered 429 wants to be left alone.

The engine passes on the registry's words and drops its headers. So the same question is put once more, here, for the header
`Retry-After`: the manifest, by HEAD, which registries do not count as a pull. Where nothing can be learnt the pauses are the usual ones.
"""

import email.utils
import ipaddress
import time
from collections.abc import Iterator

import aiohttp

from longshore.agent import pulls
from longshore.agent.docker import registry_credentials

PROBE_TIMEOUT_S = 5.0
"""It is a courtesy: a registry that takes longer is asked again after the usual pause."""
_TOO_MANY = 429
_HUB_HOST = "registry-1.docker.io"


async def wanted(image: str, credential: registry_credentials.Credential | None) -> float | None:
    """Seconds that the registry of an image asks for; None where it does not say."""
    registry = registry_credentials.registry_of(image)
    auth = None
    if credential is not None and not credential.identity_token:
        auth = aiohttp.BasicAuth(credential.username, credential.password)
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
    for url in urls(image, registry):
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.head(url, auth=auth, allow_redirects=False) as answer,
            ):
                given = answer.headers.get("Retry-After", "")
                return seconds(given, time.time()) if answer.status == _TOO_MANY else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            continue
    return None


def urls(image: str, registry: str) -> Iterator[str]:
    """Where the manifest is: without TLS only on this host, where the engine does so too."""
    name = pulls.in_full(image, registry) if not image.startswith(f"{registry}/") else image
    path = pulls.repository(name).removeprefix(f"{registry}/")
    _, at, digest = image.partition("@")
    tag = image.partition("@")[0].removeprefix(pulls.repository(image)).removeprefix(":")
    host = _HUB_HOST if registry == registry_credentials.DOCKER_HUB else registry
    place = f"{host}/v2/{path}/manifests/{digest if at else tag or 'latest'}"
    if _is_this_host(host):
        yield f"http://{place}"
    else:
        yield f"https://{place}"


def _is_this_host(host: str) -> bool:
    """Not by how the name begins: `localhost.example.com` would be shown a password without TLS."""
    name = host.partition(":")[0]
    try:
        return name == "localhost" or ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def seconds(given: str, now: float) -> float | None:
    """A Retry-After, which is seconds or a date; None where it is neither."""
    try:
        if given.strip().isdigit():
            return float(given)
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
