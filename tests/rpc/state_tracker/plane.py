"""A whole control plane over one database, for what several components do together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from longshore.events import memory_bus
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import caller, channels
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage.database import Database
from longshore.v1 import (
    registry_service_pb2_grpc,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2_grpc,
)


@dataclass(frozen=True)
class Addresses:
    """Where the components listen."""

    registry: str
    scheduler: str
    tracker: str


@dataclass(frozen=True)
class View:
    """The control plane as callers of one region see it."""

    region: str
    registry: Any
    scheduler: Any
    tracker: Any

    def arn(self, rest: str) -> str:
        """An ARN of the region."""
        return f"arn:aws:ecs:{self.region}:123456789012:{rest}"


@asynccontextmanager
async def serving(database: Database, *, any_region: bool = False, **of_tracker: Any) -> AsyncIterator[Addresses]:
    """All three components, on free ports."""
    shared: dict[str, Any] = {"listen": "127.0.0.1:0", "any_region": any_region}
    bus = memory_bus.MemoryBus()
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(
            scheduler_app.serve(scheduler_config.Config(**shared), database=database, bus=bus)
        )
        tracker = await stack.enter_async_context(
            tracker_app.serve(tracker_config.Config(**shared, **of_tracker), database=database, bus=bus)
        )
        told = registry_config.Config(scheduler=(scheduler.address,), state_tracker=(tracker.address,), **shared)
        registry = await stack.enter_async_context(registry_app.serve(told, database=database, bus=bus))
        yield Addresses(registry.address, scheduler.address, tracker.address)


@asynccontextmanager
async def seen_from(region: str, addresses: Addresses) -> AsyncIterator[View]:
    """Stubs whose calls come from a region."""
    metadata = ((caller.REGION_KEY, region),)
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(channels.connect(address, metadata=metadata))
            for address in (addresses.registry, addresses.scheduler, addresses.tracker)
        ]
        yield View(
            region,
            registry_service_pb2_grpc.RegistryServiceStub(opened[0]),
            scheduler_service_pb2_grpc.SchedulerServiceStub(opened[1]),
            state_tracker_service_pb2_grpc.StateTrackerServiceStub(opened[2]),
        )
