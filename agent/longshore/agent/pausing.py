"""What pause containers need on the engine: their image, and the network of tasks that have an address. Made here, and nowhere else."""

import asyncio
import hashlib
from dataclasses import dataclass

import structlog

from longshore.agent import container_names, namespaces, pause_image, pulls, runtime

_log = structlog.get_logger(__name__)

_DEVICE_DIGITS = 5  # names of devices have at most 15 characters


@dataclass(frozen=True, slots=True)
class Offered:
    """What tasks may ask for on this host."""

    namespaces: bool
    """Processes and shared memory in common."""
    addresses: bool
    """A network namespace and an address of their own."""


NOTHING = Offered(namespaces=False, addresses=False)


class Pausing:
    """The image and the network on one engine."""

    def __init__(
        self, container_runtime: runtime.ContainerRuntime, engine: runtime.EngineInfo, *, subnet: str = ""
    ) -> None:
        self._runtime = container_runtime
        self._architecture = engine.architecture
        which = hashlib.sha256(f"{engine.engine_id}\0{engine.data_root}".encode()).hexdigest()
        self._device = f"longshore-{which[:_DEVICE_DIGITS]}"
        self._subnet = subnet
        self._image = pause_image.image(engine.architecture)
        self._loading = asyncio.Lock()

    @property
    def image(self) -> str:
        """Name of the image; empty for a processor that has none."""
        return self._image.name if self._image is not None else ""

    async def prepare(self) -> Offered:
        """Have both on the engine, and tell what therefore can be offered. Raises only where the engine cannot be asked."""
        try:
            await self.provide_image()
        except runtime.RuntimeFailure as error:
            return self._without("shared_namespaces_not_offered", error)
        try:
            await self.provide_network()
        except runtime.RuntimeFailure as error:
            return Offered(namespaces=True, addresses=self._without("addresses_not_offered", error).addresses)
        return Offered(namespaces=True, addresses=True)

    def _without(self, event: str, error: runtime.RuntimeFailure) -> Offered:
        if error.retriable:
            raise error
        _log.warning(event, error_reason=error.reason)
        return NOTHING

    async def provide_image(self) -> pulls.CachedImage:
        """The image, loaded where it is not on the engine."""
        image = self._image
        if image is None:
            raise runtime.CannotPullContainerError(
                f"there is no pause program for the processor {self._architecture or 'of this host'}"
            )
        found = self._runtime.cached_image(image.name)
        if found is not None:
            return found
        async with self._loading:
            found = await self._runtime.find_image(image.name)
            if found is None:
                await self._runtime.load_image(image.archive)
                found = await self._runtime.find_image(image.name)
        if found is None:
            raise runtime.CannotPullContainerError(f"{image.name} was loaded, but the engine does not have it")
        return found

    async def provide_network(self) -> None:
        """Have the network there. Several agents may do so at the same time."""
        name = namespaces.NETWORK
        found = await self._runtime.find_network(name)
        if found is None:
            try:
                await self._runtime.create_network(name, namespaces.network(subnet=self._subnet, device=self._device))
            except runtime.CannotCreateNetworkError:
                # Another agent was faster, at the same time.
                found = await self._runtime.find_network(name)
                if found is None:
                    raise
            else:
                return
        if found.labels.get(container_names.INTERNAL) != namespaces.NETWORK_LABEL:
            raise runtime.CannotCreateNetworkError(f"the engine has a network {name} that is not ours")
        if self._subnet and self._subnet not in found.subnets:
            _log.warning("network_has_other_subnet", network=name, subnets=found.subnets, wanted=self._subnet)

    async def remove_network(self) -> None:
        """Remove the network where it is ours and nothing uses it."""
        name = namespaces.NETWORK
        try:
            found = await self._runtime.find_network(name)
            if found is not None and found.labels.get(container_names.INTERNAL) == namespaces.NETWORK_LABEL:
                await self._runtime.remove_network(name)
        except runtime.RuntimeFailure as error:
            _log.warning("network_not_removed", network=name, error_reason=error.reason)
