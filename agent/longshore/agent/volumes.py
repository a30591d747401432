"""The volumes of a task: where each is on the host, which have to be there before a container is made, which go with the task. Pure.

| in the definition | at the engine | made | removed |
|---|---|---|---|
| `host.sourcePath` | that path | by the engine, where it is missing | never |
| nothing but a name | a volume of the task's own | by us, so that it has our labels | with the task |
| Docker, scope task | a volume of the task's own | by us, with driver, options and labels | with the task |
| Docker, scope shared | a volume of the definition's name | by us, with `autoprovision`; else it has to be there | never |
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from longshore.agent import container_names, runtime
from longshore.v1 import task_definition_pb2 as definition_pb2

DEFAULT_DRIVER = "local"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A volume that has to be there before a container is made."""

    name: str
    make: bool
    """Whether to make it where it is missing."""
    shared: bool = False
    """Whether other tasks have it too, so that it may be there already."""
    driver: str = DEFAULT_DRIVER
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def source(volume: definition_pb2.Volume, task: container_names.TaskNames) -> str:
    """What a mount of the volume names at the engine: a path of the host, or a volume."""
    if volume.host.source_path:
        return volume.host.source_path
    return volume.name if _is_shared(volume) else container_names.volume_name(task, volume.name)


def wanted(
    definition: definition_pb2.TaskDefinition,
    container: definition_pb2.ContainerDefinition,
    *,
    owner: container_names.Owner,
    task: container_names.TaskNames,
) -> Iterator[Wanted]:
    """Volumes of the engine that a container mounts, each once."""
    mounted = {mount.source_volume for mount in container.mount_points}
    for volume in definition.volumes:
        if volume.name not in mounted or volume.host.source_path:
            continue
        docker = volume.docker_volume_configuration
        shared = _is_shared(volume)
        ours = {} if shared else container_names.task_labels(owner, task)
        yield Wanted(
            name=source(volume, task),
            make=docker.autoprovision or not shared,
            shared=shared,
            driver=docker.driver or DEFAULT_DRIVER,
            options=dict(docker.driver_opts),
            labels={**docker.labels, **ours},
        )


def difference(volume: Wanted, found: runtime.VolumeDetails) -> str:
    """What is other about a volume that is there under the name of a wanted one; empty where nothing is. Values may be secrets."""
    for what, wanted_, there in (
        ("driver options", volume.options, found.options),
        ("labels", volume.labels, found.labels),
    ):
        if dict(wanted_) != dict(there):
            names = sorted(name for name in {*wanted_, *there} if wanted_.get(name) != there.get(name))
            return (
                f"the shared volume {volume.name} is there with other {what} than the definition's: {', '.join(names)}"
            )
    return ""


def of_task(definition: definition_pb2.TaskDefinition, task: container_names.TaskNames) -> tuple[str, ...]:
    """Names at the engine of the volumes that live and go with the task."""
    return tuple(
        container_names.volume_name(task, volume.name)
        for volume in definition.volumes
        if not volume.host.source_path and not _is_shared(volume)
    )


def _is_shared(volume: definition_pb2.Volume) -> bool:
    return volume.docker_volume_configuration.scope == definition_pb2.SCOPE_SHARED
