"""Countable devices: what this host offers of them, and what a container gets of those that the scheduler gave it. Pure, `found` aside.

The kind `GPU` is ECS's. A container is told its GPUs as ECS's agent tells them, in NVIDIA_VISIBLE_DEVICES. What gets them into it is the
engine's `nvidia` runtime where it has one, and otherwise the device files themselves, so that GPUs of any maker work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshore.v1 import agent_service_pb2, common_pb2, task_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

GPU = "GPU"
VISIBLE_VARIABLE = "NVIDIA_VISIBLE_DEVICES"
NVIDIA_RUNTIME = "nvidia"

_GPU_TYPE = common_pb2.RESOURCE_TYPE_GPU
_DEVICES = Path("/dev")
_NVIDIA = "nvidia"
# What every NVIDIA GPU needs beside its own file; the driver makes them, and not on each host all of them.
_NVIDIA_COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")


class NotGiven(Exception):  # noqa: N818 - named by what is wrong
    """A container asks for devices that the task was not given. The message says how many."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of this host."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """Device file of each, by id, in the host's order."""
    common: tuple[str, ...] = ()
    """Device files that a container needs beside those of its GPUs."""
    runtime: str = ""
    """The engine's runtime that gives containers their GPUs; empty where it has none."""


NONE = Gpus()


def found(told: Sequence[str], runtimes: Iterable[str], folder: Path = _DEVICES) -> Gpus:
    """The GPUs of this host: those that its operator names, `ID` or `ID=FILE`, else NVIDIA's, if it has any."""
    paths = dict(_named(item, folder) for item in told) or {
        name.removeprefix(_NVIDIA): str(folder / name)
        for name in sorted((path.name for path in folder.glob(f"{_NVIDIA}*")), key=lambda name: (len(name), name))
        if name.removeprefix(_NVIDIA).isdigit()
    }
    common = tuple(str(folder / name) for name in _NVIDIA_COMMON if (folder / name).exists())
    return Gpus(
        paths=paths,
        common=common if any(_is_nvidia(path) for path in paths.values()) else (),
        runtime=NVIDIA_RUNTIME if NVIDIA_RUNTIME in runtimes else "",
    )


def _named(item: str, folder: Path) -> tuple[str, str]:
    identity, _, path = item.partition("=")
    return identity.strip(), path.strip() or str(folder / f"{_NVIDIA}{identity.strip()}")


def _is_nvidia(path: str) -> bool:
    return Path(path).name.startswith(_NVIDIA)


def offered(gpus: Gpus, counts: Mapping[str, int]) -> list[common_pb2.Resource]:
    """What the host registers: its GPUs by id, everything else that its operator counts by number."""
    result = []
    if gpus.paths:
        result.append(common_pb2.Resource(name=GPU, type="STRINGSET", string_set_value=list(gpus.paths)))
    result += [
        common_pb2.Resource(name=name, type="INTEGER", integer_value=count) for name, count in sorted(counts.items())
    ]
    return result


def given(
    container: definition_pb2.ContainerDefinition,
    override: task_pb2.ContainerOverride | None,
    assigned: Iterable[agent_service_pb2.ContainerResources],
) -> tuple[str, ...]:
    """Ids of a container's GPUs. Raises NotGiven where they are fewer than it asks for."""
    ids = tuple(
        identity
        for part in assigned
        if part.container_name == container.name and part.type == GPU
        for identity in part.ids
    )
    wanted = sum(_count(requirement) for requirement in _required(container, override))
    if len(ids) < wanted:
        raise NotGiven(f"container {container.name} asks for {wanted} GPU and was given {len(ids)}")
    return ids


def _required(
    container: definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride | None
) -> Iterator[definition_pb2.ResourceRequirement]:
    """The GPUs that are asked for: those of the override where it names any."""
    for source in (override, container):
        asked = [] if source is None else [each for each in source.resource_requirements if each.type == _GPU_TYPE]
        if asked:
            yield from asked
            return


def _count(requirement: definition_pb2.ResourceRequirement) -> int:
    if not (requirement.value.isascii() and requirement.value.isdigit()):
        raise NotGiven(f"{requirement.value!r} is not a number of GPUs")
    return int(requirement.value)


def host_config(gpus: Gpus, ids: Sequence[str]) -> dict[str, Any]:
    """Members of HostConfig that give a container these GPUs; its device files are beside its own."""
    return {"Runtime": gpus.runtime} if ids and gpus.runtime else {}


def files(gpus: Gpus, ids: Sequence[str]) -> list[dict[str, str]]:
    """Device files that a container of these GPUs sees; none where the engine's runtime brings them."""
    if not ids or gpus.runtime:
        return []
    paths = [*(gpus.paths.get(identity) or str(_DEVICES / f"{_NVIDIA}{identity}") for identity in ids), *gpus.common]
    return [{"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in paths]
