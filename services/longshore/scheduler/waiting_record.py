"""A request whose tasks wait for capacity, as it is stored, so that any scheduler can go on with it. Pure."""

from collections.abc import Mapping

from longshore.rpc import arns, errors
from longshore.scheduler import asked, requirements, work
from longshore.storage import definitions
from longshore.v1 import record_pb2, task_definition_pb2

_NOWHERE = arns.Place(account="000000000000", region="local", any_region=True)
"""Stored requests name everything by its short name, and nothing that is rendered is made of them."""


def pack(wanted: work.Wanted, wait: asked.Wait) -> bytes:
    """The record of a request, without what the intents of its tasks have already."""
    record = record_pb2.WaitingRecord(principal=wanted.cause.principal, request_id=wanted.cause.request_id)
    record.run_task.CopyFrom(wait.request)
    for done in ("count", "client_token", "tags", "wait_for_capacity", "propagate_tags", "enable_ecs_managed_tags"):
        record.run_task.ClearField(done)
    record.run_task.cluster = wanted.asked.cluster
    record.run_task.task_definition = f"{wanted.revision.family}:{wanted.revision.revision}"
    record.run_task.group = wanted.asked.group
    return record.SerializeToString()


def unpack(body: bytes, bodies: Mapping[definitions.Key, task_definition_pb2.TaskDefinition]) -> work.Wanted:
    """The request of a record, ready to be decided. Raises what refuses it: a newer release may know more rules."""
    record = record_pb2.WaitingRecord.FromString(body)
    wanted = asked.of_run_task(record.run_task, place=_NOWHERE)
    family, _, revision = record.run_task.task_definition.rpartition(":")
    key = definitions.Key(family, int(revision))
    if key not in bodies:
        raise errors.ClientException("The task definition is not there any more.", family=family, revision=revision)
    definition = bodies[key]
    return work.Wanted(
        asked=wanted,
        revision=key,
        definition=definition,
        needs=requirements.of(definition, wanted.overrides),
        body=b"",  # the intents have theirs
        cause=work.Cause(record.principal, record.request_id),
        place=_NOWHERE,
    )
