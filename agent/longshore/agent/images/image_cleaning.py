"""Removes images that nobody needs any more: some now and then, as many as it takes when the disk is full."""

import asyncio
from collections.abc import Iterator

import structlog

from longshore.agent import engine, runtime, states
from longshore.agent.images import disk, image_retention

_log = structlog.get_logger(__name__)

_C = states.ContainerPhase
_MICROSECONDS = 1_000_000
_WAITING = frozenset({_C.PENDING, _C.PULLING})


class ImageCleaner:
    """The loop, and its calls to the engine. What goes is decided in `image_retention`."""

    def __init__(self, host: engine.TaskEngine, rules: image_retention.Rules, gauge: disk.Gauge) -> None:
        self._host = host
        self._rules = rules
        self._gauge = gauge

    async def run(self) -> None:
        """Clean up for ever."""
        rules, clock = self._rules, self._host.clock
        due = clock() + int(rules.interval_s * _MICROSECONDS)
        while True:
            await asyncio.sleep(min(disk.CHECK_S, rules.interval_s))
            pressed = await self._gauge.pressed()
            if not pressed and clock() < due:
                continue
            due = clock() + int(rules.interval_s * _MICROSECONDS)
            try:
                await self.clean(pressed=pressed)
            except runtime.RuntimeFailure as error:
                _log.warning("images_not_cleaned_up", error_reason=error.reason)
            except Exception:  # noqa: BLE001 - an engine that lists what nobody can read must not end the agent
                _log.exception("images_not_cleaned_up")

    async def clean(self, *, pressed: bool) -> None:
        """Remove what may go now."""
        host = self._host
        images = await host.runtime.list_images()
        await host.images.gone(host.images.images.keys() - {image.image_id for image in images})
        used = await host.runtime.used_images()
        needed = image_retention.Needed(used | set(self._held()), set(self._wanted()))
        candidates = image_retention.chosen(
            images, host.images.images, needed, self._rules, host.clock(), pressed=pressed
        )
        gone = []
        for image in candidates:
            # Tasks may have come while the ones before were removed. Between this look and the call nothing can happen.
            if image.image_id in self._held() or not set(image.tags).isdisjoint(self._wanted()):
                continue
            try:
                await host.runtime.remove_image(image)
            except runtime.RuntimeFailure as error:
                _log.warning("image_not_removed", image=image.image_id, error_reason=error.reason)
                continue
            gone.append(image.image_id)
            if pressed and not await self._gauge.pressed():
                break
        await host.images.gone(gone)
        if gone:
            _log.info("images_removed", count=len(gone), pressed=pressed)

    def _held(self) -> Iterator[str]:
        """Images of the tasks that are here, until what is left of them has been removed."""
        for record in self._host.tasks.values():
            for container in record.state.containers:
                if container.image_id:
                    yield container.image_id

    def _wanted(self) -> Iterator[str]:
        """Names for which tasks wait."""
        for record in self._host.tasks.values():
            for plan, container in zip(record.state.plans, record.state.containers, strict=True):
                if container.phase in _WAITING:
                    yield plan.image
