"""Carries out Pull: has the image of a container on the engine, and tells how far it is."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from longshore.agent import (
    effects,
    launching,
    pull_progress,
    pulls,
    runtime,
    task_commands,
    task_events,
    task_record,
)

_log = structlog.get_logger(__name__)


class Puller:
    """Makes images available."""

    def __init__(self, host: launching.Host, calls: effects.Effects) -> None:
        self._host = host
        self._calls = calls
        self._pulling: dict[tuple[str, str], asyncio.Timeout] = {}

    def pull(self, record: task_record.TaskRecord, command: task_commands.Pull) -> None:
        """Make an image available: at once where it is known to be here and need not be fetched."""
        if record.is_hidden(command.container):
            self._calls.spawn("load", self._load(record, command.container))
            return
        image = record.parts[command.container].image
        cached = self._host.runtime.cached_image(image)
        if cached is not None and not self._decide(image, cached).pull:
            self._host.post(record, _ready(command.container, cached, pulled=False))
        else:
            self._calls.spawn("pull", self._pull(record, command.container, image))

    def abandon(self, record: task_record.TaskRecord, container: str) -> None:
        """Nobody wants the container's image any more: its task was stopped."""
        scope = self._pulling.get((record.task_id, container))
        if scope is not None:
            scope.reschedule(asyncio.get_running_loop().time())

    async def _load(self, record: task_record.TaskRecord, container: str) -> None:
        """Have the image of a hidden container."""
        try:
            found = await launching.retried(self._host.pausing.provide_image)
        except runtime.RuntimeFailure as error:
            self._host.post(record, task_events.PullFailed(container, error.reason))
        else:
            self._host.post(record, _ready(container, found, pulled=False))

    async def _pull(self, record: task_record.TaskRecord, container: str, image: str) -> None:
        key = (record.task_id, container)
        with contextlib.suppress(TimeoutError):  # abandoned: the calls below have limits of their own
            async with asyncio.timeout(None) as scope:
                self._pulling[key] = scope
                try:
                    await self._fetch(record, container, image)
                finally:
                    del self._pulling[key]

    async def _fetch(self, record: task_record.TaskRecord, container: str, image: str) -> None:
        host = self._host
        try:
            cached = await launching.retried(lambda: host.runtime.find_image(image))
            decision = self._decide(image, cached)
            if not decision.pull and cached is not None:
                host.post(record, _ready(container, cached, pulled=False))
                return
            host.post(record, task_events.PullBegan(container))
            try:
                found = await launching.retried(
                    lambda: host.runtime.pull(
                        image, patient=not decision.fall_back, on_progress=self._progress(record, container)
                    )
                )
            except runtime.RuntimeFailure as error:
                if cached is None or not decision.fall_back:
                    raise
                _log.warning("image_not_refreshed", image=image, error_reason=error.reason)
                found = cached
                host.post(record, _ready(container, found, pulled=True))
            else:
                # First the task: from its state the clean-up knows that the image is in use.
                host.post(record, _ready(container, found, pulled=True))
                await host.images.pulled(image, found, host.clock())
        except runtime.RuntimeFailure as error:
            failure = error
            if not isinstance(error, runtime.CannotPullContainerError | runtime.DockerTimeoutError):
                failure = runtime.CannotPullContainerError(error.message)
            host.post(record, task_events.PullFailed(container, failure.reason))

    def _progress(self, record: task_record.TaskRecord, container: str) -> Callable[[pull_progress.Progress], None]:
        """Have told how far a pull is that begins now, not too often."""
        clock = asyncio.get_running_loop().time
        pace = pull_progress.Pace(clock())

        def on_progress(progress: pull_progress.Progress) -> None:
            if pace.due(clock()):
                self._host.post(record, task_events.PullProgressed(container, progress))

        return on_progress

    def _decide(self, image: str, cached: pulls.CachedImage | None) -> pulls.Decision:
        return pulls.decide(self._host.pull_behavior, image, cached, pulled_before=self._host.images.has_pulled(image))


def _ready(container: str, image: pulls.CachedImage, *, pulled: bool) -> task_events.ImageReady:
    return task_events.ImageReady(container, image.digest, pulled=pulled, image_id=image.image_id, pin=image.pin)
