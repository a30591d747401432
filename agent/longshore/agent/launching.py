"""Carries out Pull, Create and Start: calls the engine, and turns its answers, refusals and silences into events.

What must not happen here is a second start. So a start is repeated only after an inspection has said that the first did not
take place, and a create is never repeated under another name.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import structlog

from longshore.agent import (
    cgroups,
    container_names,
    container_spec,
    devices,
    effects,
    image_ledger,
    namespaces,
    pausing,
    ports,
    pull_progress,
    pulls,
    runtime,
    slots,
    states,
    task_commands,
    task_events,
    task_limits,
    task_record,
    task_state,
    volumes,
)
from longshore.rpc import backoff
from longshore.v1 import common_pb2, task_pb2

_log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_PORT_TRIES = 5
# Times a name is found taken by a container that there is not: one that another call is still making, or has failed to make.
_NAME_TRIES = 8
"""How often a dynamic port that turned out to be taken is replaced by another."""
_STARTING = frozenset({states.ContainerPhase.STARTING, states.ContainerPhase.RESTARTING})


class Host(Protocol):
    """What the launcher and the stopper need of the task engine."""

    runtime: runtime.ContainerRuntime
    ports: ports.Ports
    owner: container_names.Owner
    images: image_ledger.Ledger
    clock: Callable[[], int]

    @property
    def pausing(self) -> pausing.Pausing:
        """What hidden containers need of the engine."""

    @property
    def groups(self) -> cgroups.Groups | None:
        """Control groups of tasks, where this host has any."""

    @property
    def pull_behavior(self) -> pulls.Behavior:
        """When images are pulled."""

    @property
    def awslogs(self) -> bool:
        """Whether the log driver of that name is left to the engine."""

    @property
    def publish_address(self) -> str:
        """Where ports are published; empty for every address."""

    @property
    def gpus(self) -> devices.Gpus:
        """The GPUs of this host."""

    @property
    def cpu_period_us(self) -> int:
        """Period in which the CPU time of whole tasks is limited."""

    @property
    def shared_volume_match_full_config(self) -> bool:
        """Whether a shared volume that is there has to be as the definition describes it."""

    @property
    def task_pids_limit(self) -> int:
        """Processes that any task may have; zero for no limit."""

    @property
    def max_launches(self) -> int:
        """How many creates and starts are under way at a time."""

    @property
    def metadata_variables(self) -> Callable[[str, str], Mapping[str, str]]:
        """Variables that tell a container, by task id and name, where it finds its metadata; none where it is not served."""

    def post(self, record: task_record.TaskRecord, event: task_events.Event) -> None:
        """Apply an event to a task."""

    def unlink(self, runtime_id: str) -> None:
        """Expect no more news of a container."""


class Launcher:
    """Brings containers up."""

    def __init__(self, host: Host, calls: effects.Effects) -> None:
        self._host = host
        self._calls = calls
        self._slots = slots.Slots(host.max_launches)
        self._pulling: dict[tuple[str, str], asyncio.Timeout] = {}

    # ---------------------------------------------------------------- images

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
            found = await self._retried(self._host.pausing.provide_image)
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
            cached = await self._retried(lambda: host.runtime.find_image(image))
            decision = self._decide(image, cached)
            if not decision.pull and cached is not None:
                host.post(record, _ready(container, cached, pulled=False))
                return
            host.post(record, task_events.PullBegan(container))
            try:
                found = await self._retried(
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

    # ---------------------------------------------------------------- create

    def create(self, record: task_record.TaskRecord, command: task_commands.Create) -> None:
        """Make a container."""
        self._calls.spawn("create", self._create(record, command.container))

    async def _create(self, record: task_record.TaskRecord, container: str) -> None:
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        for _ in range(_NAME_TRIES):
            event = await self._create_once(record, container)
            if event is not None:
                break
            await pauses.sleep()
        else:
            name = container_names.container_name(record.names, container)
            reason = _create_reason(f"the name {name} is taken by a container that cannot be found")
            event = task_events.CreateFailed(container, reason)
        self._host.post(record, event)

    async def _create_once(self, record: task_record.TaskRecord, container: str) -> task_events.Event | None:
        """Make a container; None where its name is taken and yet there is none of that name."""
        bindings: tuple[task_state.Binding, ...] = ()
        try:
            bindings = self._bind(record, container)
            runtime_id = await self._created(record, container, bindings)
        except runtime.NameTaken:
            self._host.ports.release(bindings)
            return await self._take_over(record, container)
        except (runtime.RuntimeFailure, ports.NoPortFree) as error:
            self._host.ports.release(bindings)
            reason = error.reason if isinstance(error, runtime.RuntimeFailure) else _create_reason(str(error))
            return task_events.CreateFailed(container, reason)
        return task_events.ContainerCreated(container, runtime_id, bindings)

    def _bind(self, record: task_record.TaskRecord, container: str) -> tuple[task_state.Binding, ...]:
        if record.is_hidden(container):
            return ()
        return self._host.ports.bind(ports.wanted(record.parts[container], record.definition.message.network_mode))

    async def _created(
        self, record: task_record.TaskRecord, container: str, bindings: tuple[task_state.Binding, ...]
    ) -> str:
        body = self._body(record, container, bindings, cgroup_parent=await self._limited(record))
        name = container_names.container_name(record.names, container)
        if not record.is_hidden(container):
            await self._provide_volumes(record, container)

        async def call() -> str:
            async with self._slots.held(first=False):
                if record.state.stop_cause is not None:
                    raise runtime.CannotCreateContainerError("the task was stopped before")
                return await self._host.runtime.create(name, body)

        return await self._retried(call)

    def _gpu_ids(
        self, record: task_record.TaskRecord, container: str, override: task_pb2.ContainerOverride | None
    ) -> tuple[str, ...]:
        try:
            return devices.given(record.parts[container], override, record.assigned.container_resources)
        except devices.NotGiven as error:
            raise runtime.CannotCreateContainerError(str(error)) from error

    def _body(
        self,
        record: task_record.TaskRecord,
        container: str,
        bindings: tuple[task_state.Binding, ...],
        *,
        cgroup_parent: str,
    ) -> dict[str, Any]:
        if record.is_hidden(container):
            return namespaces.pause_body(
                record.definition.message,
                image=record.state.container(container).pin or self._host.pausing.image,
                owner=self._host.owner,
                task=record.names,
                cgroup_parent=cgroup_parent,
            )
        override = container_spec.override_of(record.assigned.overrides, container)
        return container_spec.body(
            record.definition.message,
            record.parts[container],
            override,
            owner=self._host.owner,
            task=record.names,
            bindings=bindings,
            stop_timeout_s=self._stop_timeout_s(record, container),
            publish_address=self._host.publish_address,
            cgroup_parent=cgroup_parent,
            gpus=self._host.gpus,
            gpu_ids=self._gpu_ids(record, container, override),
            image=record.state.container(container).pin,
            metadata=self._host.metadata_variables(record.task_id, container),
            awslogs=self._host.awslogs,
            fargate=record.assigned.launch_type == common_pb2.LAUNCH_TYPE_FARGATE,
        )

    async def _limited(self, record: task_record.TaskRecord) -> str:
        """Have the limits of the whole task in place; its control group, empty where it has no limits."""
        limits = task_limits.of(
            record.definition.message,
            record.assigned.overrides,
            period_us=self._host.cpu_period_us,
            pids=self._host.task_pids_limit,
        )
        groups = self._host.groups
        if not limits:
            record.limited = True
            return ""
        if groups is None:
            raise runtime.CannotCreateContainerError("cpu and memory of a whole task cannot be limited on this host")
        try:
            await groups.limit(record.task_id, limits)
        except cgroups.NotLimited as error:
            raise runtime.CannotCreateContainerError(str(error)) from error
        record.limited = True
        return groups.parent(record.task_id)

    async def _provide_volumes(self, record: task_record.TaskRecord, container: str) -> None:
        """Have the volumes there that a container mounts. A shared one that is there is taken as it is, whatever its driver."""
        engine = self._host.runtime
        for volume in volumes.wanted(
            record.definition.message, record.parts[container], owner=self._host.owner, task=record.names
        ):
            found = None
            if volume.shared:
                found = await self._retried(functools.partial(engine.find_volume, volume.name))
            compare = self._host.shared_volume_match_full_config
            if compare and found is not None and (fault := volumes.difference(volume, found)):
                raise runtime.CannotCreateContainerError(fault)
            if found is None and volume.make:
                make = functools.partial(
                    engine.create_volume, volume.name, volume.driver, volume.options, volume.labels
                )
                await self._retried(make)
            elif found is None:
                raise runtime.CannotCreateContainerError(
                    f"there is no volume {volume.name} on this host, and autoprovision is off"
                )

    def _stop_timeout_s(self, record: task_record.TaskRecord, container: str) -> int:
        return next(plan.stop_timeout_s for plan in record.state.plans if plan.name == container)

    async def _take_over(self, record: task_record.TaskRecord, container: str) -> task_events.Event | None:
        """A container of this name exists: an earlier create has succeeded without our learning of it.

        None where it does not: Docker reserves the name before there is a container to be found, and frees it when that fails.
        """
        name = container_names.container_name(record.names, container)
        try:
            found = await self._retried(lambda: self._host.runtime.inspect(name))
        except runtime.ContainerMissing:
            return None
        except runtime.RuntimeFailure as error:
            return task_events.CreateFailed(container, error.reason)
        if found.labels.get(container_names.TASK_ID) != record.task_id:
            reason = _create_reason(f"the name {name} is taken by container {found.runtime_id[:12]}, which is not ours")
            return task_events.CreateFailed(container, reason)
        if found.found is task_events.Found.EXITED:
            return died(container, found)
        self._host.ports.hold(found.bindings)
        return task_events.ContainerCreated(container, found.runtime_id, found.bindings)

    # ---------------------------------------------------------------- start

    def start(self, record: task_record.TaskRecord, command: task_commands.Start) -> None:
        """Start a container."""
        self._calls.spawn("start", self._start(record, command.container, command.runtime_id))

    def restart(self, record: task_record.TaskRecord, command: task_commands.Restart) -> None:
        """Start a container again, in place."""
        start = self._start(record, command.container, command.runtime_id, former_end=command.finished_at)
        self._calls.spawn("restart", start)

    async def _start(
        self, record: task_record.TaskRecord, container: str, runtime_id: str, *, former_end: int | None = None
    ) -> None:
        """Start a container. `former_end`: it has run before and ended then."""
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        bindings: tuple[task_state.Binding, ...] = ()
        tries = 1
        while True:
            event: task_events.Event | None
            try:
                if not record.limited:
                    # Made by a former process, perhaps before a reboot: the engine would make the group anew, without limits.
                    await self._limited(record)
                async with self._slots.held(first=True):
                    await self._started(record, container, runtime_id)
            except runtime.PortTaken as error:
                may_move = tries < _PORT_TRIES and former_end is None
                moved = await self._elsewhere(record, container, runtime_id) if may_move else None
                tries += 1
                if moved is None:
                    event = task_events.StartFailed(container, error.reason)
                else:
                    runtime_id, bindings = moved
                    continue
            except runtime.RuntimeFailure as error:
                event = await self._after(error, record, container, runtime_id, former_end)
            else:
                event = await self._running(record, container, runtime_id, bindings)
            if event is not None:
                self._host.post(record, event)
                if bindings and record.state.container(container).bindings != bindings:
                    self._host.ports.release(bindings)  # chosen in vain
                return
            await pauses.sleep()
            if record.state.container(container).phase not in _STARTING:
                return  # something else has told its end

    async def _started(self, record: task_record.TaskRecord, container: str, runtime_id: str) -> None:
        """Start a container; the network of a hidden one is made where somebody has removed it."""
        try:
            await self._host.runtime.start(runtime_id)
        except runtime.NetworkMissing:
            if not record.is_hidden(container):
                raise
            await self._host.pausing.provide_network()
            await self._host.runtime.start(runtime_id)

    async def _running(
        self,
        record: task_record.TaskRecord,
        container: str,
        runtime_id: str,
        bindings: tuple[task_state.Binding, ...] = (),
    ) -> task_events.Event:
        """A start that has succeeded. A task must not say that it runs without its address, so that is asked for here."""
        if not (record.is_hidden(container) and namespaces.has_address(record.definition.message)):
            return task_events.ContainerStarted(container, runtime_id, bindings)
        try:
            found = await self._retried(lambda: self._host.runtime.inspect(runtime_id))
        except runtime.ContainerMissing:
            return task_events.ContainerVanished(container)
        except runtime.RuntimeFailure as error:
            return task_events.StartFailed(container, error.reason, uncertain=True)
        if found.found is task_events.Found.EXITED:
            return died(container, found)
        return task_events.ContainerStarted(container, runtime_id, interface=namespaces.interface(found))

    async def _after(
        self,
        error: runtime.RuntimeFailure,
        record: task_record.TaskRecord,
        container: str,
        runtime_id: str,
        former_end: int | None,
    ) -> task_events.Event | None:
        """What a failed start means; None if it certainly has not happened and may be tried again."""
        if isinstance(error, runtime.ContainerMissing):
            return task_events.ContainerVanished(container)
        if isinstance(error, runtime.DockerTimeoutError):
            return task_events.StartFailed(container, error.reason, uncertain=True)
        if not error.retriable:
            return task_events.StartFailed(container, error.reason)
        _log.warning("start_unanswered", task_id=record.task_id, container=container, error_reason=error.reason)
        try:
            found = await self._retried(lambda: self._host.runtime.inspect(runtime_id))
        except runtime.ContainerMissing:
            return task_events.ContainerVanished(container)
        except runtime.RuntimeFailure as failure:
            return task_events.StartFailed(container, failure.reason, uncertain=True)
        if found.found is task_events.Found.RUNNING:
            return await self._running(record, container, runtime_id)
        if found.found is task_events.Found.EXITED and (former_end is None or found.finished_at > former_end):
            return died(container, found)
        if found.error:
            return task_events.StartFailed(container, runtime.CannotStartContainerError(found.error).reason)
        if former_end is not None:
            # The end that is found is the former one, so the start did not happen.
            return task_events.StartFailed(container, error.reason) if record.state.stop_cause is not None else None
        return task_events.ContainerDied(container, None) if record.state.stop_cause is not None else None

    async def _elsewhere(
        self, record: task_record.TaskRecord, container: str, runtime_id: str
    ) -> tuple[str, tuple[task_state.Binding, ...]] | None:
        """Make the container again with other dynamic ports; None where its ports are fixed, or that fails too."""
        wanted = ports.wanted(record.parts[container], record.definition.message.network_mode)
        if all(mapping.host_port for mapping in wanted) or record.state.stop_cause is not None:
            return None
        # The ports that failed stay taken until the container runs with others, so that they are not chosen again.
        try:
            bindings = self._host.ports.bind(wanted)
        except ports.NoPortFree:
            return None
        self._host.unlink(runtime_id)
        try:
            await self._retried(lambda: self._host.runtime.remove(runtime_id))
            return await self._created(record, container, bindings), bindings
        except runtime.RuntimeFailure as error:
            _log.warning("port_not_replaced", task_id=record.task_id, container=container, error_reason=error.reason)
            self._host.ports.release(bindings)
            return None

    async def _retried(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Call until the engine can be asked."""
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        while True:
            try:
                return await call()
            except runtime.RuntimeFailure as error:
                if not error.retriable:
                    raise
                _log.warning("engine_unavailable", error_reason=error.reason)
            await pauses.sleep()


def _ready(container: str, image: pulls.CachedImage, *, pulled: bool) -> task_events.ImageReady:
    return task_events.ImageReady(container, image.digest, pulled=pulled, image_id=image.image_id, pin=image.pin)


def died(container: str, found: runtime.ContainerSnapshot) -> task_events.ContainerDied:
    """The end of a container as an inspection told it."""
    return task_events.ContainerDied(
        container,
        found.exit_code,
        out_of_memory=found.out_of_memory,
        finished_at=found.finished_at,
        runtime_id=found.runtime_id,
    )


def _create_reason(message: str) -> str:
    return runtime.CannotCreateContainerError(message).reason
