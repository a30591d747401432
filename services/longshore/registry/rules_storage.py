"""Rules about volumes and what containers do with them: ecs.md sections 1.2 and 1.4. Pure."""

import re
from collections.abc import Iterator

from longshore.registry import paths, rule
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Container, Volume
from longshore.v1 import task_definition_pb2

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)

KINDS = (
    "host",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "s3filesVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "configuredAtLaunch",
)
"""What a volume can be; one with none of them is an empty host volume."""

TMPFS_OPTIONS = frozenset((
    "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync", "remount",
    "mand", "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "unbindable", "runbindable",
    "private", "rprivate", "shared", "rshared", "slave", "rslave", "relatime", "norelatime", "strictatime",
    "nostrictatime", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol",
))  # fmt: skip


def _two_kinds(volume: Volume) -> Iterator[Found]:
    given = [kind for kind in KINDS if _is_kind(volume, kind)]
    if len(given) > 1:
        yield Found(given[1], None, {"kinds": " and ".join(given)})


def _is_kind(volume: Volume, kind: str) -> bool:
    place = next(paths.values(volume.message, kind))
    if kind == "host":  # tools write an empty one beside the real kind, as ECS itself echoes it
        return bool(volume.message.host.source_path)
    return place.value is not None and place.value is not False


def _autoprovisioned_task_volume(volume: Volume) -> Iterator[Found]:
    docker = volume.message.docker_volume_configuration
    if docker.autoprovision and docker.scope != task_definition_pb2.SCOPE_SHARED:
        yield Found("dockerVolumeConfiguration.autoprovision", docker.autoprovision)


def _unknown_source_volume(container: Container) -> Iterator[Found]:
    for place in paths.values(container.message, "mountPoints[].sourceVolume"):
        if place.value and place.value not in container.definition.volumes:
            yield Found(place.where, place.value)


def _unknown_source_container(container: Container) -> Iterator[Found]:
    for place in paths.values(container.message, "volumesFrom[].sourceContainer"):
        known = place.value in container.definition.by_name and place.value != container.message.name
        if place.value and not known:
            yield Found(place.where, place.value)


def _is_tmpfs_option(value: object) -> bool:
    name, _, _ = str(value).partition("=")
    return name in TMPFS_OPTIONS


VOLUMES: tuple[Rule[Volume], ...] = (
    Rule("volume-name-required", "ecs.md 1.1", rule.required("name"), "must be a name"),
    Rule(
        "volume-name",
        "ecs.md 1.1",
        rule.each("name", lambda name: not name or _NAME.fullmatch(str(name)) is not None),
        "must be at most 255 letters, digits, hyphens and underscores",
    ),
    Rule(
        "volume-one-kind",
        "ecs.md 1.1",
        _two_kinds,
        text="Invalid setting for {subject}: {kinds} are given; it must be one kind of volume.",
    ),
    Rule(
        "volume-autoprovision",
        "ecs.md 1.4",
        _autoprovisioned_task_volume,
        text="Invalid setting for {subject}: {field} is {value}: task scoped volume could not be autoprovisioned.",
    ),
    Rule(
        "volume-efs-file-system",
        "ecs.md 1.1",
        rule.required("efsVolumeConfiguration.fileSystemId"),
        "must be the id of a file system",
    ),
    Rule(
        "volume-fsx-file-system",
        "ecs.md 1.1",
        rule.required("fsxWindowsFileServerVolumeConfiguration.fileSystemId"),
        "must be the id of a file system",
    ),
    Rule(
        "volume-s3files-file-system",
        "ecs.md 1.1",
        rule.required("s3filesVolumeConfiguration.fileSystemArn"),
        "must be the ARN of a file system",
    ),
)

CONTAINERS: tuple[Rule[Container], ...] = (
    Rule("mount-volume-required", "ecs.md 1.2", rule.required("mountPoints[].sourceVolume"), "must be a volume's name"),
    Rule("mount-volume-known", "ecs.md 1.2", _unknown_source_volume, "must be the name of a volume of the task"),
    Rule(
        "mount-path-required",
        "ecs.md 1.2",
        rule.required("mountPoints[].containerPath"),
        "must be a path in the container",
    ),
    Rule(
        "mount-path-once",
        "ecs.md 1.2",
        rule.unique("mountPoints[].containerPath"),
        "must be the path of one mount point",
    ),
    Rule(
        "volumes-from-required",
        "ecs.md 1.2",
        rule.required("volumesFrom[].sourceContainer"),
        "must be a container's name",
    ),
    Rule(
        "volumes-from-known",
        "ecs.md 1.2",
        _unknown_source_container,
        "must be the name of another container of the task",
    ),
    Rule(
        "tmpfs-path",
        "ecs.md 1.2",
        rule.required("linuxParameters.tmpfs[].containerPath"),
        "must be a path in the container",
    ),
    Rule("tmpfs-size-required", "ecs.md 1.2", rule.required("linuxParameters.tmpfs[].size"), "must be a size in MiB"),
    Rule(
        "tmpfs-size",
        "ecs.md 1.2",
        rule.each("linuxParameters.tmpfs[].size", rule.at_least(1)),
        "must be at least 1 MiB",
    ),
    Rule(
        "tmpfs-option",
        "ecs.md 1.2",
        rule.each("linuxParameters.tmpfs[].mountOptions[]", _is_tmpfs_option),
        "must be one of Docker's options for tmpfs",
    ),
)
