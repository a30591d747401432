"""Carries out Create: makes a container, with what it stands on. A create is never repeated under another name."""

import functools
from typing import Any

from longshore.agent import (
    cgroups,
    container_names,
    container_spec,
    devices,
    effects,
    launching,
    namespaces,
    ports,
    runtime,
    slots,
    task_commands,
    task_events,
    task_limits,
    task_record,
    task_state,
    volumes,
)
from longshore.rpc import backoff
from longshore.v1 import common_pb2, task_pb2

_NAME_TRIES = 8
"""Times a name is found taken by a container that there is not: one that another call is still making, or has failed to make."""


class Creator:
    """Makes containers."""

    def __init__(self, host: launching.Host, calls: effects.Effects, places: slots.Slots) -> None:
        self._host = host
        self._calls = calls
        self._slots = places

    def create(self, record: task_record.TaskRecord, command: task_commands.Create) -> None:
        """Make a container."""
        self._calls.spawn("create", self._create(record, command.container))

    async def _create(self, record: task_record.TaskRecord, container: str) -> None:
        pauses = backoff.Backoff(first=launching.FIRST_PAUSE_S, cap=launching.LONGEST_PAUSE_S)
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
            runtime_id = await self.made(record, container, bindings)
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

    async def made(
        self, record: task_record.TaskRecord, container: str, bindings: tuple[task_state.Binding, ...]
    ) -> str:
        """Make a container with these ports; its id. Raises RuntimeFailure, NameTaken among others."""
        body = self._body(record, container, bindings, cgroup_parent=await self.limit(record))
        name = container_names.container_name(record.names, container)
        if not record.is_hidden(container):
            await self._provide_volumes(record, container)

        async def call() -> str:
            async with self._slots.held(first=False):
                if record.state.stop_cause is not None:
                    raise runtime.CannotCreateContainerError("the task was stopped before")
                return await self._host.runtime.create(name, body)

        return await launching.retried(call)

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

    async def limit(self, record: task_record.TaskRecord) -> str:
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
                found = await launching.retried(functools.partial(engine.find_volume, volume.name))
            compare = self._host.shared_volume_match_full_config
            if compare and found is not None and (fault := volumes.difference(volume, found)):
                raise runtime.CannotCreateContainerError(fault)
            if found is None and volume.make:
                make = functools.partial(
                    engine.create_volume, volume.name, volume.driver, volume.options, volume.labels
                )
                await launching.retried(make)
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
            found = await launching.retried(lambda: self._host.runtime.inspect(name))
        except runtime.ContainerMissing:
            return None
        except runtime.RuntimeFailure as error:
            return task_events.CreateFailed(container, error.reason)
        if found.labels.get(container_names.TASK_ID) != record.task_id:
            reason = _create_reason(f"the name {name} is taken by container {found.runtime_id[:12]}, which is not ours")
            return task_events.CreateFailed(container, reason)
        if found.found is task_events.Found.EXITED:
            return launching.died(container, found)
        self._host.ports.hold(found.bindings)
        return task_events.ContainerCreated(container, found.runtime_id, found.bindings)


def _create_reason(message: str) -> str:
    return runtime.CannotCreateContainerError(message).reason
