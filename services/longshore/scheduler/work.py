"""What goes through the placement loop, as values: what is wanted, what was decided, what came of it. Pure data."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from longshore.rpc import arns, errors
from longshore.scheduler import (
    asked,
    instances,
    placement,
    refusals,
    requirements,
    resources,
    snapshot,
    tokens,
    waiting_rows,
)
from longshore.storage import definitions, log, tasks
from longshore.v1 import event_pb2, task_definition_pb2, task_pb2


@dataclass(frozen=True, slots=True)
class Cause:
    """Who asked, in which request; recorded with each change."""

    principal: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The client token of a request."""

    key: tokens.Key
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for tasks with everything that placement needs to know. `body` is the intent's, serialised."""

    asked: asked.Asked
    revision: definitions.Key
    definition: task_definition_pb2.TaskDefinition
    needs: requirements.Needs
    body: bytes
    cause: Cause
    place: arns.Place
    claim: Claim | None = None

    @property
    def constraints(self) -> tuple[str, ...]:
        """The expressions that its instances must fulfil: the definition's, and the request's own."""
        of_definition = (constraint.expression for constraint in self.definition.placement_constraints)
        return (*of_definition, *self.asked.expressions)

    def request(self) -> placement.Request:
        """What is to be decided."""
        return placement.Request(
            needs=self.needs,
            group=self.asked.group,
            count=self.asked.count,
            distinct=self.asked.distinct,
            strategy=self.asked.strategy,
            targets=self.asked.targets,
            constraints=self.constraints,
        )

    def load(self, given: tuple[resources.Given, ...] = ()) -> snapshot.Load:
        """What one task of it takes."""
        load = self.request().load
        return dataclasses.replace(load, named=resources.amounts(given)) if given else load


@dataclass(frozen=True, slots=True)
class Slot:
    """One new task and the instance it was decided for; none where it is to wait for capacity."""

    task_id: str
    instance_id: str
    given: tuple[resources.Given, ...] = ()
    """What its containers were given of the resources that the instance offers by name."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A request that is to be committed, whole or not at all. `number` is its place in the batch.

    `answer` renders what a repetition under the same token is to be told, from the new intents and a cursor; it is called within
    the transaction, so it is pure.
    """

    number: int
    wanted: Wanted
    slots: tuple[Slot, ...]
    refused: tuple[refusals.Refusal, ...]
    answer: Callable[[tuple[tasks.Intent, ...], int], bytes] | None = None
    reason: str = ""
    """Why those of its tasks that wait for capacity do: their slots have no instance."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A task that is to stop, and why."""

    task_id: str
    code: task_pb2.TaskStopCode.ValueType
    reason: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Footing:
    """What a decision rests on: the membership it saw, and what is reserved, with the decision's own, where it places."""

    seen: int
    reserved: Mapping[str, snapshot.Reserved]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction commits."""

    cluster: str
    holder: str
    epoch: int
    footing: Footing
    placements: tuple[Decided, ...]
    stops: tuple[Stop, ...]


class StaleDefinition(errors.ClientException):
    """The revision is not ACTIVE any more. Where only the family was named, another one may be the latest now."""


@dataclass(frozen=True, slots=True)
class Raised:
    """How far an instance's assignment moved."""

    base: int
    revision: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transaction has committed. `head` is None where it changed nothing that is told."""

    head: log.Head | None
    intents: Mapping[int, tuple[tasks.Intent, ...]] = field(default_factory=dict)
    """The new tasks by the number of their request."""
    answers: Mapping[int, bytes] = field(default_factory=dict)
    """What their tokens remember, for those that have one."""
    deferred: frozenset[int] = frozenset()
    """Requests that the changed membership no longer allows: nothing of them was committed."""
    behind: frozenset[int] = frozenset()
    """Those among them that want a port which an agent has reported meanwhile: the log has to be read on first."""
    refused: Mapping[int, errors.ServiceError] = field(default_factory=dict)
    stopped: Mapping[str, tasks.Intent] = field(default_factory=dict)
    """Tasks whose intent moved to STOPPED, as they are now."""
    known: frozenset[str] = frozenset()
    """Tasks to stop that exist."""
    assignments: Mapping[str, Raised] = field(default_factory=dict)
    events: tuple[event_pb2.Event, ...] = ()
    changed: tuple[instances.Instance, ...] = ()
    """Instances that were read again, and the membership revision up to which they are known."""
    seen: int = 0
    waiting: Mapping[int, waiting_rows.Request] = field(default_factory=dict)
    """What waits for capacity, by the number of its request."""
