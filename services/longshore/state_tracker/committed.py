"""What a transaction of this component committed, and how the others hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.events.bus import Bus
from longshore.rpc import caller
from longshore.storage import log, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, record_pb2


@dataclass(frozen=True, slots=True)
class Committed:
    """The events of one commit in one cluster, with the numbers they took."""

    cluster: str
    head: log.Head
    events: tuple[event_pb2.Event, ...]


def instances_changed(
    dialect: Dialect,
    cluster: str,
    changes: Sequence[event_pb2.ContainerInstanceEvent],
    *,
    who: caller.Caller,
    counts: log.Counts = log.NO_COUNTS,
) -> steps.Step[Committed]:
    """Append the events of changed instances. Last in its transaction, as all that takes the head."""
    head = yield from log.take(dialect, cluster, len(changes), counts)
    events = tuple(
        event_pb2.Event(request_id=who.request_id, principal=_principal(who), container_instance=change)
        for change in changes
    )
    yield from log.append(cluster, head, events)
    return Committed(cluster, head, events)


async def publish(bus: Bus, committed: Committed | None) -> None:
    """Tell the others. Without effect where nothing was committed."""
    if committed is None or not committed.events:
        return
    publication = record_pb2.Publication(
        cluster=committed.cluster,
        previous_sequence=committed.head.previous,
        sequence=committed.head.sequence,
        events=committed.events,
    )
    await bus.publish(committed.cluster, publication.SerializeToString())


def _principal(who: caller.Caller) -> str:
    return who.principal if who.request_id else ""
