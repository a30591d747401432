"""Images on the Docker host: what is here, remembered until the engine says that it changed, and pulls, one per image at a time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiodocker
import structlog

from longshore.agent import docker_errors, pulls, registry_credentials, runtime
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

INSPECT_TIMEOUT_S = 30.0
"""ECS's bound for an inspection."""
PULL_INACTIVITY_TIMEOUT_S = 60.0
"""Silence of the progress stream after which a pull is given up."""
PULL_TIMEOUT_S = 2 * 3600.0
"""Bound of a whole pull."""

TRIES = 5
FIRST_PAUSE_S = 1.1
LONGEST_PAUSE_S = 5.0
"""ECS's attempts to pull and the pauses between them."""

FORGETTING = frozenset({"delete", "untag", "tag", "pull", "load", "import", "prune"})


class Images:
    """Presence and digest of images by the name they are asked for."""

    def __init__(self, docker: aiodocker.Docker, credentials: registry_credentials.Credentials) -> None:
        self._docker = docker
        self._credentials = credentials
        self._known: dict[str, pulls.CachedImage] = {}
        self._pulling: dict[str, asyncio.Future[pulls.CachedImage]] = {}
        self._watched = False

    def cached(self, image: str) -> pulls.CachedImage | None:
        """What is remembered of an image."""
        return self._known.get(image)

    def watch(self, *, watched: bool) -> None:
        """Remember only while the engine's events are being read: unseen, an image may be gone at any time."""
        self._watched = watched
        self._known.clear()

    def notice(self, event: Mapping[str, Any]) -> None:
        """Forget what an image event may have changed. They are rare; forgetting all is simplest and always right."""
        if event.get("Action") in FORGETTING:
            self._known.clear()

    async def find(self, image: str) -> pulls.CachedImage | None:
        """Ask whether an image is on the host."""
        try:
            with docker_errors.translated(runtime.CannotPullContainerError, "MANIFEST_PULLED", INSPECT_TIMEOUT_S):
                async with asyncio.timeout(INSPECT_TIMEOUT_S):
                    data = await self._docker.images.inspect(image)
        except runtime.CannotPullContainerError:
            return None
        found = pulls.CachedImage(str(data["Id"]), pulls.digest_of(image, list(data.get("RepoDigests") or ())))
        if self._watched:
            self._known[image] = found
        return found

    async def pull(self, image: str, *, patient: bool) -> pulls.CachedImage:
        """Fetch an image; whoever asks for the same one meanwhile waits for the same pull."""
        running = self._pulling.get(image)
        if running is None:
            running = asyncio.ensure_future(self._repeated(image, TRIES if patient else 1))
            self._pulling[image] = running
            running.add_done_callback(lambda _: self._pulling.pop(image, None))
        # Shielded: one task that is stopped must not take the image away from the others.
        return await asyncio.shield(running)

    async def _repeated(self, image: str, tries: int) -> pulls.CachedImage:
        """Pull, and again where the registry may think better of it."""
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            tries -= 1
            try:
                return await self._pull(image)
            except (runtime.CannotPullContainerError, runtime.DockerTimeoutError) as error:
                if not tries or pulls.is_final(error.message):
                    raise
                _log.warning("pull_failed", image=image, error_reason=error.reason, tries_left=tries)
            await pauses.sleep()

    async def _pull(self, image: str) -> pulls.CachedImage:
        credential = await self._credentials.of(image)
        registry = registry_credentials.registry_of(image)
        # Docker's library takes credentials only with a name that says its registry.
        named = image if credential is None or image.startswith(f"{registry}/") else pulls.in_full(image, registry)
        with docker_errors.translated(runtime.CannotPullContainerError, "PULLED", PULL_INACTIVITY_TIMEOUT_S):
            async with asyncio.timeout(PULL_TIMEOUT_S):
                auth = credential.header(registry) if credential is not None else None
                progress = self._docker.images.pull(named, auth=auth, stream=True)
                while True:
                    async with asyncio.timeout(PULL_INACTIVITY_TIMEOUT_S):
                        if await anext(progress, None) is None:
                            break
        found = await self.find(image)
        if found is None:
            raise runtime.CannotPullContainerError(f"{image} was pulled, but the engine does not have it")
        return found

    async def close(self) -> None:
        """End pulls that run."""
        for running in tuple(self._pulling.values()):
            running.cancel()
        await asyncio.gather(*self._pulling.values(), return_exceptions=True)
