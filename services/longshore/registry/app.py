"""The registry's lifespan, for its own process and for the embedded one."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from longshore.events import standing
from longshore.events.bus import Bus
from longshore.metrics import exposition, rpcs
from longshore.registry import access_keys, capacity_providers, deletions, owners, seals, servicer, tags
from longshore.registry.config import Config
from longshore.rpc import channels, loops, server
from longshore.rpc.arns import Kind
from longshore.storage.database import Database
from longshore.v1 import registry_service_pb2_grpc


@asynccontextmanager
async def serve(
    config: Config,
    *,
    database: Database,
    bus: Bus,  # noqa: ARG001 - as every component
    shown: exposition.Sources | None = None,
) -> AsyncIterator[server.Serving]:
    """Serve until the block ends. Nothing of the registry's is published: clusters and definitions are read when they are needed."""
    sealed_with = seals.Seals(config.seal_key_file, make=config.make_seal_key)
    await sealed_with.check()
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(loops.supervised())
        scheduler = await stack.enter_async_context(channels.connect(config.scheduler_addresses, files=config.tls))
        tracker = await stack.enter_async_context(channels.connect(config.state_tracker_addresses, files=config.tls))
        finisher = deletions.Finisher(
            database,
            interval_s=config.deletion_interval_s,
            rng=random.Random(),  # noqa: S311 - spreads load
        )
        keepers: tags.Keepers = {
            Kind.CAPACITY_PROVIDER: capacity_providers.ProviderTags(database),
            Kind.CLUSTER: tags.ClusterTags(database),
            Kind.TASK_DEFINITION: tags.DefinitionTags(database),
            Kind.TASK: owners.TaskTags(scheduler),
            Kind.CONTAINER_INSTANCE: owners.InstanceTags(tracker),
        }
        implementation = servicer.Servicer(
            database=database,
            account=config.account,
            any_region=config.any_region,
            keepers=keepers,
            keys=access_keys.AccessKeys(database, sealed_with, insecure=config.insecure),
            deletion_requested=finisher.request,
        )
        registration = server.servicer(registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, implementation)
        serving = await stack.enter_async_context(
            server.serving(
                config,
                (registration,),
                supervisor=supervisor,
                observe=rpcs.of("registry", shown).observe,
                standing=standing.of(database),
            )
        )
        supervisor.start("registry-deletions", finisher.run)
        yield serving
