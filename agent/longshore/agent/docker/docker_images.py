"""Images on the Docker host: what is here, remembered until the engine says that it changed, and pulls, one per image at a time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiodocker
import structlog

from longshore.agent import container_names, pull_progress, pulls, runtime
from longshore.agent.docker import docker_errors, docker_pull, docker_values, registry_credentials, registry_patience
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

INSPECT_TIMEOUT_S = 30.0
"""ECS's bound for an inspection."""
LOAD_TIMEOUT_S = 2 * 60.0
"""ECS's bound for a load."""

LIST_TIMEOUT_S = 10 * 60.0
"""ECS's bound for a list of images."""
REMOVE_TIMEOUT_S = 3 * 60.0
"""ECS's bound for the removal of an image."""
_NOT_FOUND = 404

FORGETTING = frozenset({"delete", "untag", "tag", "pull", "load", "import", "prune"})

OnProgress = Callable[[pull_progress.Progress], None]


def unheard(_: pull_progress.Progress) -> None:
    """For those who do not want to know."""


@dataclass(slots=True)
class _Pull:
    """A pull under way and who waits for it; the last one who leaves ends it."""

    work: asyncio.Task[pulls.CachedImage] | None = None
    listeners: list[OnProgress] = field(default_factory=list)
    patient: bool = False
    shown: pull_progress.Progress = pull_progress.NOTHING
    landed: str = ""
    """Id of the image that has come, while those who wait for it have not heard of it."""

    def tell(self, progress: pull_progress.Progress) -> None:
        """Pass on how far it is."""
        self.shown = pull_progress.forward(self.shown, progress)
        for listener in self.listeners:
            listener(self.shown)


class Images:
    """Presence and digest of images by the name they are asked for."""

    def __init__(
        self,
        docker: aiodocker.Docker,
        credentials: registry_credentials.Credentials,
        limits: pulls.Limits | None = None,
    ) -> None:
        self._docker = docker
        self._credentials = credentials
        self._limits = limits or pulls.Limits()
        self._slots = asyncio.Semaphore(self._limits.concurrent)
        self._known: dict[str, pulls.CachedImage] = {}
        self._pulling: dict[str, _Pull] = {}
        self._landing: list[_Pull] = []
        self._removing: dict[str, asyncio.Event] = {}
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
        found = await self._inspect(image, image)
        if found is not None and self._watched:
            self._known[image] = found
        return found

    async def _inspect(self, reference: str, image: str, digest: str = "") -> pulls.CachedImage | None:
        while True:
            found = await self._inspect_once(reference, image, digest)
            gone = self._removing.get(found.image_id) if found is not None else None
            if gone is None:
                return found
            await gone.wait()  # it was there, and will not be

    async def _inspect_once(self, reference: str, image: str, digest: str) -> pulls.CachedImage | None:
        try:
            with docker_errors.translated(runtime.CannotPullContainerError, "MANIFEST_PULLED", INSPECT_TIMEOUT_S):
                async with asyncio.timeout(INSPECT_TIMEOUT_S):
                    data = await self._docker.images.inspect(reference)
        except runtime.CannotPullContainerError:
            return None
        return pulls.found(image, str(data["Id"]), list(data.get("RepoDigests") or ()), digest)

    # ---------------------------------------------------------------- pulls

    async def pull(self, image: str, *, patient: bool, on_progress: OnProgress = unheard) -> pulls.CachedImage:
        """Fetch an image; whoever asks for the same one meanwhile waits for the same pull, which ends with the last of them."""
        pull = self._pulling.get(image)
        if pull is None:
            pull = self._pulling[image] = _Pull()
            pull.work = asyncio.ensure_future(self._repeated(image, pull))
            pull.work.add_done_callback(lambda work: self._over(image, work))
        work = pull.work
        assert work is not None  # noqa: S101 - set where the pull was made
        pull.patient = pull.patient or patient
        pull.listeners.append(on_progress)
        try:
            # Shielded: one task that is stopped must not take the image away from the others.
            return await asyncio.shield(work)
        finally:
            pull.listeners.remove(on_progress)
            if not pull.listeners and pull in self._landing:
                self._landing.remove(pull)
            if not pull.listeners and not work.done():
                self._pulling.pop(image, None)  # whoever comes now begins anew
                work.cancel()

    def _over(self, image: str, work: asyncio.Task[pulls.CachedImage]) -> None:
        pull = self._pulling.get(image)
        if pull is not None and pull.work is work:
            del self._pulling[image]
        if not work.cancelled():
            work.exception()  # nobody may be left to hear of it

    async def _repeated(self, image: str, pull: _Pull) -> pulls.CachedImage:
        """Pull, and again where the registry may think better of it."""
        pauses = backoff.Backoff(first=pulls.FIRST_PAUSE_S, cap=pulls.LONGEST_PAUSE_S)
        clock = asyncio.get_running_loop().time
        left, tries = self._limits.total_s, pulls.TRIES
        while True:
            tries -= 1
            began = clock()
            try:
                async with self._slots:
                    began = clock()
                    return await self._pull(image, pull, left)
            except (runtime.CannotPullContainerError, runtime.DockerTimeoutError) as error:
                left -= clock() - began
                if not (tries and pull.patient) or left <= 0 or pulls.is_final(error.message):
                    raise
                pause = await self._pause(image, error, pauses)
                if pause > min(left, pulls.LONGEST_RETRY_AFTER_S):
                    raise
                _log.warning("pull_failed", image=image, error_reason=error.reason, tries_left=tries, pause_s=pause)
            left -= pause
            await asyncio.sleep(pause)

    async def _pause(self, image: str, error: runtime.RuntimeFailure, pauses: backoff.Backoff) -> float:
        """Seconds until the next try: the usual ones, more where the registry asks for it."""
        usual = pauses.next()
        if not pulls.is_busy(error.message):
            return usual
        asked = pulls.retry_after(error.message)
        if asked is None:
            asked = await registry_patience.wanted(image, await self._credentials.of(image))
        return max(usual, asked or 0.0)

    async def _pull(self, image: str, pull: _Pull, left_s: float) -> pulls.CachedImage:
        told = await self._fetch(image, pull, left_s)
        # By the digest that was pulled: the tag may have been moved on by somebody else.
        reference = f"{pulls.repository(image)}@{told.digest}" if told.digest else image
        found = await self._inspect(reference, image, told.digest)
        if found is None:
            raise runtime.CannotPullContainerError(f"{image} was pulled, but the engine does not have it")
        if self._watched:
            self._known[image] = found
        pull.landed = found.image_id
        self._landing.append(pull)
        return found

    # ---------------------------------------------------------------- all of them

    async def list_all(self) -> list[runtime.HostImage]:
        """Every image that is on the host, whoever brought it."""
        with docker_errors.translated(runtime.CannotListContainersError, "listed", LIST_TIMEOUT_S):
            async with asyncio.timeout(LIST_TIMEOUT_S):
                found = await self._docker.images.list()
        return [docker_values.host_image(data, container_names.INTERNAL) for data in found]

    async def remove(self, image: runtime.HostImage) -> None:
        """Remove an image, name after name. Nothing waits before it is known to be going."""
        if image.image_id in self._removing or any(pull.landed == image.image_id for pull in self._landing):
            raise runtime.CannotRemoveContainerError(f"{image.image_id} is being pulled or removed")
        gone = self._removing[image.image_id] = asyncio.Event()
        self._known = {name: known for name, known in self._known.items() if known.image_id != image.image_id}
        try:
            for reference in image.references:
                with docker_errors.translated(runtime.CannotRemoveContainerError, "removed", REMOVE_TIMEOUT_S):
                    async with asyncio.timeout(REMOVE_TIMEOUT_S):
                        await self._remove(reference)
        finally:
            del self._removing[image.image_id]
            gone.set()

    async def _remove(self, reference: str) -> None:
        try:
            await self._docker.images.delete(reference)
        except aiodocker.DockerError as error:
            if error.status != _NOT_FOUND:  # with the last tag of a repository its digests there are gone as well
                raise

    async def _fetch(self, image: str, pull: _Pull, left_s: float) -> pull_progress.Told:
        credential = await self._credentials.of(image)
        auth = credential.header(registry_credentials.registry_of(image)) if credential is not None else None
        told, silence = pull_progress.Told(), self._limits.begin_s
        with docker_errors.translated(runtime.CannotPullContainerError, "PULLED", left_s):
            async with (
                asyncio.timeout(left_s),
                contextlib.aclosing(docker_pull.lines(self._docker, image, auth)) as lines,
            ):
                while (line := await _next(lines, silence)) is not None:
                    silence = self._limits.inactivity_s
                    if told.add(line):
                        pull.tell(told.progress)
        if not told.complete:
            raise runtime.EngineUnavailable(f"the engine's answer to the pull of {image} broke off")
        return told

    async def load(self, archive: bytes) -> None:
        """Put the images of an archive on the host."""
        with docker_errors.translated(runtime.CannotPullContainerError, "LOADED", LOAD_TIMEOUT_S):
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await self._docker.images.import_image(archive)

    async def close(self) -> None:
        """End pulls that run."""
        running = [pull.work for pull in self._pulling.values() if pull.work is not None]
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _next(lines: AsyncGenerator[Mapping[str, Any], None], silence_s: float) -> Mapping[str, Any] | None:
    try:
        async with asyncio.timeout(silence_s):
            return await anext(lines, None)
    except TimeoutError as error:
        raise runtime.DockerTimeoutError(runtime.timed_out("PULLED", silence_s)) from error
