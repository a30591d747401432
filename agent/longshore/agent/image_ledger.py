"""The owner of what this agent has pulled: which images, under which names, when, and when one was last used.

Written down after each pull and whenever tasks are cleaned up, so that a restarted agent goes on removing what it brought, and knows what
`once` has pulled. While a task uses an image nothing need be written: it is in use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import structlog

from longshore.agent import pulls, stored

_log = structlog.get_logger(__name__)


class Ledger:
    """Images that this agent has pulled, by their ids."""

    def __init__(self, store: stored.Store, images: Iterable[stored.PulledImage] = ()) -> None:
        self._store = store
        self._images = {image.image_id: image for image in images}

    @property
    def images(self) -> Mapping[str, stored.PulledImage]:
        """What was pulled and is not known to be gone."""
        return self._images

    def restore(self, images: Iterable[stored.PulledImage]) -> None:
        """Take up what was written down."""
        self._images = {image.image_id: image for image in images}

    def has_pulled(self, name: str) -> bool:
        """Whether an image was ever pulled successfully under this name."""
        return any(name in image.names for image in self._images.values())

    async def pulled(self, name: str, image: pulls.CachedImage, now: int) -> None:
        """An image was pulled under a name, which any other image loses by it."""
        changed = [
            replace(other, names=other.names - {name})
            for other in self._images.values()
            if name in other.names and other.image_id != image.image_id
        ]
        before = self._images.get(image.image_id)
        names = (before.names if before is not None else frozenset()) | {name}
        changed.append(stored.PulledImage(image.image_id, names, pulled_at=now, last_used_at=now))
        await self._save(changed)

    async def used(self, image_ids: Iterable[str], now: int) -> None:
        """Tasks that used these images are gone."""
        known = (self._images.get(image_id) for image_id in set(image_ids))
        await self._save([replace(image, last_used_at=now) for image in known if image is not None])

    async def gone(self, image_ids: Iterable[str]) -> None:
        """These images are not on the host any more."""
        known = [image_id for image_id in image_ids if self._images.pop(image_id, None) is not None]
        if known:
            await self._write(self._store.forget_images(known))

    def by_name(self, name: str) -> str:
        """Id of the image that was pulled under a name last; empty where none was."""
        return next((image.image_id for image in self._images.values() if name in image.names), "")

    async def _save(self, images: list[stored.PulledImage]) -> None:
        if images:
            self._images.update((image.image_id, image) for image in images)
            await self._write(self._store.save_images(images))

    async def _write(self, call: "stored.Write") -> None:
        try:
            await call
        except stored.StateFileError as error:
            # The worst that follows is an image that nobody removes.
            _log.warning("images_not_saved", error_reason=str(error))
