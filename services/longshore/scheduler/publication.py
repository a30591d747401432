"""What a commit tells the bus: its events, and per instance one serialised assignment that names each definition once. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from longshore.scheduler import leadership, work
from longshore.storage import definitions, log, tasks
from longshore.v1 import agent_service_pb2, common_pb2, record_pb2


def build(
    batch: work.Batch, outcome: work.Outcome, head: log.Head, definitions_sent: Mapping[definitions.Key, bytes]
) -> record_pb2.Publication:
    """The publication of an outcome. `definitions_sent` holds an `AssignedDefinition` for each revision, serialised."""
    publication = record_pb2.Publication(
        cluster=batch.cluster, previous_sequence=head.previous, sequence=head.sequence, events=outcome.events
    )
    publication.assignments.extend(_assignments(batch, outcome, definitions_sent))
    return publication


def assigned_definition(wanted: work.Wanted) -> bytes:
    """The definition as an assignment carries it, serialised: made once per batch and revision, then copied as bytes.

    The bytes are those of an Assignment that holds nothing else, so they can be put in front of another's.
    """
    part = agent_service_pb2.Assignment()
    definition = part.definitions.add(key=key_of(wanted.revision))
    definition.task_definition.CopyFrom(wanted.definition)
    return part.SerializeToString()


def key_of(revision: definitions.Key) -> str:
    """`family:revision`, by which the tasks of a message refer to its definitions."""
    return f"{revision.family}:{revision.revision}"


def _assignments(
    batch: work.Batch, outcome: work.Outcome, definitions_sent: Mapping[definitions.Key, bytes]
) -> Iterator[record_pb2.PublishedAssignment]:
    placed: defaultdict[str, list[tuple[work.Wanted, tasks.Intent]]] = defaultdict(list)
    for decided in batch.placements:
        for intent in outcome.intents.get(decided.number, ()):
            placed[intent.instance_id].append((decided.wanted, intent))
    stopped: defaultdict[str, list[str]] = defaultdict(list)
    for task_id, intent in outcome.stopped.items():
        stopped[intent.instance_id].append(task_id)
    lineage = leadership.lineage(batch.holder)
    for instance_id, raised in outcome.assignments.items():
        part = agent_service_pb2.Assignment(base_revision=raised.base, revision=raised.revision, lineage=lineage)
        part.tasks.extend(_assigned(wanted, intent) for wanted, intent in placed[instance_id])
        part.stops.extend(agent_service_pb2.AssignedStop(task_id=task_id) for task_id in stopped[instance_id])
        named = {wanted.revision: None for wanted, _ in placed[instance_id]}
        assignment = b"".join((*(definitions_sent[revision] for revision in named), part.SerializeToString()))
        yield record_pb2.PublishedAssignment(
            container_instance_id=instance_id,
            base_revision=raised.base,
            revision=raised.revision,
            payload=_response(assignment),
        )


def _assigned(wanted: work.Wanted, intent: tasks.Intent) -> agent_service_pb2.AssignedTask:
    assigned = agent_service_pb2.AssignedTask(
        task_id=intent.task_id,
        definition_key=key_of(wanted.revision),
        group=intent.group_name,
        started_by=intent.started_by,
        request_id=wanted.cause.request_id,
        cluster=intent.cluster,
        launch_type=common_pb2.LaunchType.ValueType(intent.launch_type),
    )
    if intent.resources is not None:
        assigned.container_resources.extend(intent.record().container_resources)
    if wanted.asked.record.HasField("overrides"):
        assigned.overrides.CopyFrom(wanted.asked.overrides)
    return assigned


_ASSIGNMENTS_TAG = bytes([agent_service_pb2.SessionResponse.ASSIGNMENTS_FIELD_NUMBER << 3 | 2])


def _response(assignment: bytes) -> bytes:
    """A serialised SessionResponse with one assignment that is serialised already: its field's tag, length and bytes."""
    length = len(assignment)
    varint = bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return b"".join((_ASSIGNMENTS_TAG, varint, assignment))
