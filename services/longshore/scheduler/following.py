"""What a publication of the log means for a view of the cluster. Pure."""

from dataclasses import dataclass, field

from longshore.storage import ports
from longshore.v1 import event_pb2, record_pb2


@dataclass(slots=True)
class Heard:
    """What one publication tells."""

    placed: list[str] = field(default_factory=list)
    """Tasks that have been given an instance: what they need is reserved there."""
    released: list[str] = field(default_factory=list)
    """Tasks that hold nothing any more, once that is settled."""
    reported: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    """Instance, task and the host ports that its agent has bound."""
    membership: int = 0
    """The highest membership revision that it tells of; 0 where no instance has changed."""


def heard(publication: record_pb2.Publication) -> Heard:
    """What a publication tells, in the log's order."""
    found = Heard()
    for event in publication.events:
        if event.HasField("container_instance"):
            found.membership = max(found.membership, event.container_instance.membership_revision)
        elif event.HasField("task"):
            _task(found, event.task)
    return found


def _task(found: Heard, task: event_pb2.TaskEvent) -> None:
    if not task.container_instance_id:
        return  # it waits for capacity, or was stopped while it did: it holds nothing
    if task.released:
        found.released.append(task.task_id)
        return
    if task.version == 1 or task.placed:
        found.placed.append(task.task_id)
    if task.containers:
        # In the log's order, so nothing of a task comes after its release but what says so.
        taken = tuple(ports.observed(task.containers))
        if taken:
            found.reported.append((task.container_instance_id, task.task_id, taken))
