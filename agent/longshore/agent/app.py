"""The agent's life: engine, state, adoption, registration, sessions, in this order, and back."""

import asyncio
import functools
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from longshore.agent import (
    cgroups,
    cleanup,
    container_names,
    devices,
    diagnosis,
    effects,
    engine,
    leaving,
    log_drivers,
    orphans,
    pausing,
    ports,
    pulls,
    registration,
    removal,
    resources,
    runtime,
    session,
    slices,
    speaking,
    state_file,
    stored,
    streams,
    takeover,
    watching,
)
from longshore.agent.docker import docker_runtime, registry_credentials
from longshore.agent.images import disk, image_cleaning, image_retention
from longshore.agent.logs import log_tails
from longshore.agent.metadata import (
    cgroup_statistics,
    inspections,
    introspection,
    metadata_address,
    metadata_server,
    resource_tags,
    sampling,
)
from longshore.agent.settings import config
from longshore.rpc import channels, loops
from longshore.v1 import agent_service_pb2_grpc, registry_service_pb2_grpc, state_tracker_service_pb2_grpc

_log = structlog.get_logger(__name__)

STATE_FILE = "agent.db"
LAST_FILE = "last"
"""Written by whoever is about to delete the state folder: nothing of this agent is to stay on the host."""
_MICROSECONDS = 1_000_000
_PROCESS_ID_BITS = 128
_LAUNCHES_PER_CPU = 4
_FEWEST_LAUNCHES = 8


_NO_PIDS_LIMIT = (
    "The processes of a task cannot be limited here (LONGSHORE_TASK_PIDS_LIMIT): that needs control groups of the tasks' own, "
    "--task-cpu-mem-limit and a /sys/fs/cgroup (or, with systemd, a /run/systemd/system) to write to. Leave the setting out, or put that right."
)


class Unusable(Exception):  # noqa: N818 - named by what is wrong
    """The agent cannot work here. The message says what to do about it; `lasting`: before that, no restart helps."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


@dataclass(slots=True)
class Agent:
    """A running agent. `introspection_port` is the one really bound."""

    host: engine.TaskEngine
    sessions: session.Sessions
    introspection_port: int
    metadata: metadata_server.MetadataServer
    sampled: sampling.Sampling
    supervisor: loops.Supervisor
    leaving: leaving.Leaving

    async def wait(self) -> NoReturn:
        """Wait until a loop dies, and raise why."""
        await self.supervisor.failed()

    async def leave(self) -> None:
        """Drain this host and stop its tasks; return when that is recorded."""
        await self.leaving.leave()


def now_us() -> int:
    """Microseconds since 1970 by this host's clock."""
    return time.time_ns() // 1000


@asynccontextmanager
async def serving(
    settings: config.Config,
    *,
    environ: Mapping[str, str],
    version: str,
    container_runtime: runtime.ContainerRuntime | None = None,
    task_groups: cgroups.Groups | None = None,
    source: random.Random | None = None,
    clock: Callable[[], int] = now_us,
) -> AsyncIterator[Agent]:
    """Run an agent for the time of the block. Leaving it touches no container."""
    draws = source or random.SystemRandom()
    folder = config.state_dir(settings, environ)
    async with AsyncExitStack() as stack:
        lock = state_file.FolderLock(folder)
        stack.callback(lock.release)
        address = config.docker_host(settings, environ)
        used = container_runtime or _docker(settings, environ, address)
        stack.push_async_callback(used.close)
        described = await _described(used, address)
        store = state_file.StateFile(folder / STATE_FILE)
        stack.push_async_callback(store.close)
        before = await store.load()
        supervisor = await stack.enter_async_context(loops.supervised())
        calls = effects.Effects(supervisor)
        due = asyncio.Event()
        home = container_names.home_of(socket.gethostname(), str(folder.resolve()))
        groups = _limiting(settings, task_groups or _groups(described, home))
        host = engine.TaskEngine(
            container_runtime=used,
            store=store,
            calls=calls,
            limits=_limits(settings, described, environ),
            host_ports=_ports(settings),
            pauses=pausing.Pausing(used, described, subnet=settings.awsvpc_subnet),
            groups=groups,
            clock=clock,
            on_due=due.set,
        )
        host.owner = _owner(before.identity, home)
        gauge = disk.Gauge(_disks(described, folder), settings.disk_watermark)
        remover = cleanup.Cleanup(host, gauge)
        host.on_settled = remover.schedule
        tails = log_tails.Tails(host, due=due.set)
        watcher = watching.Watcher(host, calls, draws)
        stream = await watcher.adopt(before)
        await _sweep(host)
        _start(supervisor, watcher, stream, remover)
        if settings.image_cleanup:
            supervisor.start("image cleanup", image_cleaning.ImageCleaner(host, _image_rules(settings), gauge).run)
        sampled = _sampling(settings, host, described, supervisor)
        tails.start(supervisor, before.told_tails)
        seen = inspections.Inspections(used)
        port = await _introspected(stack, settings, host, seen, version)
        offered = _host(
            settings,
            described,
            version,
            limits_tasks=groups is not None,
            gpus=host.gpus,
            shared=await _shared(stack, folder, host.pausing),
        )
        stubs = await _stubs(stack, settings, draws)
        metadata = await _metadata(stack, settings, host, seen, stubs.registries)
        leaver = leaving.Leaving(host, stubs.trackers)
        tell = functools.partial(_identify, host, metadata, leaver)
        if before.identity is not None:
            tell(before.identity)
        sessions = session.Sessions(
            stub=stubs.agents,
            host=host,
            due=due,
            process_id=f"{draws.getrandbits(_PROCESS_ID_BITS):032x}",
            agent_version=version,
            source=draws,
            opened=streams.Streams(host=host, calls=calls, files=settings.tls),
        )
        registrar = registration.Registrar(tracker=stubs.trackers, registry=stubs.registries, host=offered)
        given = None if before.identity is not None else _given(settings)
        supervisor.start(
            "sessions", lambda: speaking.speak(host, store, registrar.register, sessions, before.identity, given, tell)
        )
        _log.info("agent_started", cluster=settings.cluster, docker=described.version, introspection_port=port)
        yield Agent(host, sessions, port, metadata, sampled, supervisor, leaver)


def _start(
    supervisor: loops.Supervisor,
    watcher: watching.Watcher,
    stream: AsyncIterator[runtime.RuntimeEvent],
    remover: cleanup.Cleanup,
) -> None:
    """Start what looks after containers that are there."""
    if os.getpid() == orphans.INIT:
        supervisor.start("orphans", orphans.reap)
    supervisor.start("docker events", lambda: watcher.follow(stream))
    supervisor.start("re-inspection", watcher.inspect_now_and_then)
    supervisor.start("cleanup", remover.run)


def _limiting(settings: config.Config, found: cgroups.Groups | None) -> cgroups.Groups | None:
    """The control groups that are used, of those that there are."""
    groups = found if settings.task_cpu_mem_limit else None
    if settings.task_pids_limit and groups is None:
        raise Unusable(_NO_PIDS_LIMIT, lasting=True)
    return groups


async def _sweep(host: engine.TaskEngine) -> None:
    """Remove what tasks have left of which a lost state file no longer tells."""
    if host.groups is not None:
        await host.groups.sweep(host.tasks)
    await removal.sweep_volumes(host.runtime, host.owner.home, {*host.tasks, *host.orphans.tasks()})


def _docker(settings: config.Config, environ: Mapping[str, str], address: str) -> docker_runtime.DockerRuntime:
    return docker_runtime.DockerRuntime(
        address,
        _credentials(settings, environ),
        pull_limits=_pull_limits(settings),
        create_timeout_s=settings.create_timeout,
        start_timeout_s=settings.start_timeout,
    )


def _groups(described: runtime.EngineInfo, home: str) -> cgroups.Groups | None:
    """Where tasks are limited on this host; None where it cannot be done, and so is not offered."""
    if described.cgroup_driver == "systemd":
        return slices.found(home, cgroup_version=described.cgroup_version)
    return cgroups.found(described, home)


async def _shared(stack: AsyncExitStack, folder: Path, pauses: pausing.Pausing) -> pausing.Offered:
    """Have on the engine what tasks may share, and take it away in the end if nobody is to come after us."""
    stack.push_async_callback(_leave, folder, pauses)
    return await pauses.prepare()


async def _leave(folder: Path, pauses: pausing.Pausing) -> None:
    """Take away what outlives agents, where this one was told that it is the last: by a file beside its state."""
    if (folder / LAST_FILE).exists():
        await pauses.remove_network()


def _credentials(settings: config.Config, environ: Mapping[str, str]) -> registry_credentials.Credentials:
    told = registry_credentials.parse(settings.engine_auth_type, settings.engine_auth_data)
    return registry_credentials.Credentials(told, config.docker_config(environ))


def _disks(described: runtime.EngineInfo, folder: Path) -> list[Path]:
    """The engine's disk, where it can be seen from here, and the agent's own."""
    return [Path(described.data_root), folder] if described.data_root else [folder]


def _image_rules(settings: config.Config) -> image_retention.Rules:
    return image_retention.Rules(
        interval_s=settings.image_cleanup_interval,
        min_age_s=settings.image_minimum_cleanup_age,
        per_cycle=settings.images_deleted_per_cycle,
        untracked=settings.untracked_image_cleanup,
        untracked_min_age_s=settings.untracked_image_minimum_cleanup_age,
        excluded=frozenset(settings.excluded_images),
    )


def _pull_limits(settings: config.Config) -> pulls.Limits:
    return pulls.Limits(
        concurrent=settings.max_pulls,
        inactivity_s=settings.image_pull_inactivity_timeout,
        total_s=settings.image_pull_timeout,
    )


async def _described(used: runtime.ContainerRuntime, address: str) -> runtime.EngineInfo:
    try:
        described = await used.describe()
    except runtime.RuntimeFailure as error:
        found = diagnosis.explain(address, error.message, uid=os.getuid())
        raise Unusable(found.text, lasting=found.lasting) from error
    if described.lacks:
        # Said once: the engine leaves such limits out with a warning that nobody sees.
        _log.warning("engine_cannot_limit", lacks=sorted(described.lacks))
    return described


def _ports(settings: config.Config) -> ports.Ports:
    return ports.Ports(publish_address=settings.publish_address, dynamic=config.dynamic_range(settings.dynamic_ports))


def _limits(settings: config.Config, described: runtime.EngineInfo, environ: Mapping[str, str]) -> engine.Limits:
    credentials = log_drivers.has_aws_credentials(environ, settings.aws_credentials_file)
    return engine.Limits(
        max_launches=settings.max_launches or max(_FEWEST_LAUNCHES, _LAUNCHES_PER_CPU * described.cpus),
        stop_timeout_s=settings.stop_timeout,
        cleanup_wait_s=settings.cleanup_wait,
        cleanup_jitter_s=settings.cleanup_wait_jitter,
        cpu_period_us=settings.cgroup_cpu_period_ms * 1000,
        shared_volume_match_full_config=settings.shared_volume_match_full_config,
        task_pids_limit=settings.task_pids_limit,
        pull_behavior=pulls.Behavior(settings.image_pull_behavior),
        publish_address=settings.publish_address,
        privileged=settings.privileged,
        awslogs=log_drivers.sends_to_aws(described.logging_drivers, credentials=credentials),
        gpus=devices.found(settings.gpu_ids, described.runtimes),
        pulls_upfront=settings.pull_dependent_containers_upfront,
    )


def _host(
    settings: config.Config,
    described: runtime.EngineInfo,
    version: str,
    *,
    limits_tasks: bool,
    gpus: devices.Gpus,
    shared: pausing.Offered,
) -> registration.Host:
    try:
        total = resources.total_resources(
            described,
            reserved_memory_mib=settings.reserved_memory,
            reserved_ports=[int(port) for port in settings.reserved_ports],
            reserved_udp_ports=[int(port) for port in settings.reserved_ports_udp],
            gpus=gpus,
            counted=dict(filter(None, map(config.counted, settings.instance_resources))),
        )
    except resources.NothingLeft as error:
        raise Unusable(str(error), lasting=True) from error
    return registration.Host(
        cluster=settings.cluster,
        total_resources=total,
        attributes=resources.attributes(
            config.narrowed(described, settings),
            privileged=settings.privileged,
            limits_tasks=limits_tasks,
            shared=shared,
        ),
        version_info=resources.version_info(described, version),
        first_attributes=config.pairs(settings.instance_attributes),
        first_tags=config.pairs(settings.instance_tags),
    )


@dataclass(frozen=True, slots=True)
class _Stubs:
    trackers: "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub"
    agents: "agent_service_pb2_grpc.AgentServiceAsyncStub"
    registries: "registry_service_pb2_grpc.RegistryServiceAsyncStub"


async def _stubs(stack: AsyncExitStack, settings: config.Config, draws: random.Random) -> _Stubs:
    """Channels to the control plane. Nothing is dialled before the first call."""
    trackers = await stack.enter_async_context(
        channels.connect(settings.state_tracker_addresses, files=settings.tls, shuffle=draws)
    )
    registries = await stack.enter_async_context(
        channels.connect(settings.registry_addresses, files=settings.tls, shuffle=draws)
    )
    return _Stubs(
        trackers=state_tracker_service_pb2_grpc.StateTrackerServiceStub(trackers),
        agents=agent_service_pb2_grpc.AgentServiceStub(trackers),
        registries=registry_service_pb2_grpc.RegistryServiceStub(registries),
    )


def _given(settings: config.Config) -> stored.Identity | None:
    """The instance that the operator gave to an agent that has none."""
    if settings.instance_credential_file is None:
        return None
    try:
        return takeover.identity(settings.container_instance_arn, settings.instance_credential_file)
    except takeover.UnreadableCredential as error:
        raise Unusable(str(error), lasting=True) from error


def _owner(identity: stored.Identity | None, home: str) -> container_names.Owner:
    if identity is None:
        return container_names.Owner("", "", home)
    return container_names.Owner(identity.instance_id, identity.instance_arn, home)


async def _introspected(
    stack: AsyncExitStack,
    settings: config.Config,
    host: engine.TaskEngine,
    seen: inspections.Inspections,
    version: str,
) -> int:
    """Serve introspection; its port."""
    web = introspection.Introspection(host, introspection.About(settings.cluster, version), seen)
    stack.push_async_callback(web.stop)
    return await web.start(settings.introspection_port)


def _sampling(
    settings: config.Config, host: engine.TaskEngine, described: runtime.EngineInfo, supervisor: loops.Supervisor
) -> sampling.Sampling:
    """What measures the containers, and is asked by the session for what is new."""
    files = cgroup_statistics.CgroupStatistics(version=described.cgroup_version)
    made = sampling.Sampling(
        host, files.read, memory_bytes=described.memory_bytes, every_s=settings.statistics_interval
    )
    host.fresh_statistics = made.take
    if settings.statistics:
        supervisor.start("statistics", made.run)
    return made


def _identify(
    host: engine.TaskEngine,
    metadata: metadata_server.MetadataServer,
    leaver: leaving.Leaving,
    identity: stored.Identity | None,
) -> None:
    """Be this instance from now on; where it is None, one that has left, whose containers are still known by its name."""
    leaver.identity = identity
    if identity is not None:
        host.owner = _owner(identity, host.owner.home)
        metadata.identify(identity.credential)


async def _metadata(
    stack: AsyncExitStack,
    settings: config.Config,
    host: engine.TaskEngine,
    seen: inspections.Inspections,
    registries: "registry_service_pb2_grpc.RegistryServiceAsyncStub",
) -> metadata_server.MetadataServer:
    """Serve task metadata. Its address goes with an agent that leaves no task behind."""
    per_second, burst = config.rps_limit(settings.task_metadata_rps_limit) or metadata_server.DEFAULT_RATE
    zone = config.pairs(settings.instance_attributes).get(metadata_server.ZONE_ATTRIBUTE, "")
    terms = metadata_server.Terms(per_second=per_second, burst=burst, zone=zone)
    made = metadata_server.MetadataServer(host, seen, terms, resource_tags.ResourceTags(registries).of)
    place = metadata_address.place(settings.task_metadata_address)

    async def leave() -> None:
        await made.stop()
        if place is not None and made.served_at and not host.tasks:
            await metadata_address.give_up(host.runtime, place)

    stack.push_async_callback(leave)
    await made.start(place, settings.task_metadata_port)
    host.metadata_variables = made.variables
    return made
