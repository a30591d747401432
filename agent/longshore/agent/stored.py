"""What outlives the agent's process, and the interface of the place it is kept in."""

from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from longshore.v1 import agent_service_pb2, task_definition_pb2

Write = Coroutine[Any, Any, None]
"""A write under way."""


class StateFileError(Exception):
    """The state could not be read or written. The message says where and why."""


class NewerFormat(StateFileError):  # noqa: N818 - named by what is wrong
    """The state was written by a newer agent than this one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this agent is to the control plane."""

    instance_id: str
    instance_arn: str
    cluster: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task as it was last written down."""

    assigned: agent_service_pb2.AssignedTask
    observation: agent_service_pb2.TaskObservation | None
    stopping: bool
    acknowledged: bool
    stopped_at: int


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image that this agent has pulled. Times are microseconds by this host's clock."""

    image_id: str
    names: frozenset[str]
    """The names under which it was pulled and that no later pull gave to another image."""
    pulled_at: int
    last_used_at: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that was written down."""

    identity: Identity | None = None
    revision: int = 0
    lineage: int = 0
    recorded_report: int = 0
    """Number of the report that was acknowledged when the end of a task was last written down as recorded."""
    definitions: Mapping[str, task_definition_pb2.TaskDefinition] = field(default_factory=dict)
    tasks: tuple[StoredTask, ...] = ()
    told_tails: frozenset[tuple[str, str]] = frozenset()
    """Task and container of the last lines that were acknowledged."""
    images: tuple[PulledImage, ...] = ()


class Store(Protocol):
    """Where the agent's state is kept. Writes take effect in the order of the calls; awaiting one waits until it is on disk."""

    keeps: bool
    """Whether anything is kept at all. Where not, nobody need wait for a write."""

    async def load(self) -> Stored:
        """Read everything."""

    async def save_identity(self, identity: Identity) -> None:
        """Write who we are; forgets everything of a former identity."""

    async def save_assignment(
        self,
        *,
        revision: int,
        lineage: int,
        definitions: Mapping[str, task_definition_pb2.TaskDefinition],
        tasks: Iterable[agent_service_pb2.AssignedTask],
        stops: Iterable[str],
    ) -> None:
        """Write what is to run and what is to stop, and the revision with its lineage, all or nothing."""

    async def save_observation(self, observation: agent_service_pb2.TaskObservation, stopped_at: int) -> None:
        """Write what is known of a task."""

    async def save_acknowledged(self, task_ids: Iterable[str], report: int) -> None:
        """Write that the last observations of these tasks are recorded, and the number of the report with which that was known."""

    async def save_told_tails(self, keys: Iterable[tuple[str, str]]) -> None:
        """Write that the last lines of these containers, by task and name, are recorded."""

    async def forget(self, task_ids: Iterable[str]) -> None:
        """Remove tasks, and definitions that no task refers to any more."""

    async def save_images(self, images: Iterable[PulledImage]) -> None:
        """Write what was pulled, and when it was last used."""

    async def forget_images(self, image_ids: Iterable[str]) -> None:
        """Remove images that are gone."""

    async def close(self) -> None:
        """Finish what was begun."""


class MemoryStore:
    """A store that forgets: for simulated instances, of which thousands share a process."""

    keeps = False

    async def load(self) -> Stored:
        """Nothing was written down."""
        return Stored()

    async def save_identity(self, identity: Identity) -> None:
        """Accept and forget."""

    async def save_assignment(
        self,
        *,
        revision: int,
        lineage: int,
        definitions: Mapping[str, task_definition_pb2.TaskDefinition],
        tasks: Iterable[agent_service_pb2.AssignedTask],
        stops: Iterable[str],
    ) -> None:
        """Accept and forget."""

    async def save_observation(self, observation: agent_service_pb2.TaskObservation, stopped_at: int) -> None:
        """Accept and forget."""

    async def save_acknowledged(self, task_ids: Iterable[str], report: int) -> None:
        """Accept and forget."""

    async def save_told_tails(self, keys: Iterable[tuple[str, str]]) -> None:
        """Accept and forget."""

    async def forget(self, task_ids: Iterable[str]) -> None:
        """Accept and forget."""

    async def save_images(self, images: Iterable[PulledImage]) -> None:
        """Accept and forget."""

    async def forget_images(self, image_ids: Iterable[str]) -> None:
        """Accept and forget."""

    async def close(self) -> None:
        """Nothing to finish."""
