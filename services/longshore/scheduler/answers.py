"""What RunTask and StartTask answer, from what was committed. Pure."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from longshore.events import cursor
from longshore.rpc import arns
from longshore.scheduler import asked, instances, refusals, work
from longshore.storage import tasks
from longshore.v1 import common_pb2, scheduler_service_pb2
from longshore.views import task as task_view

PlacingResponse: TypeAlias = scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse

_ZONE = "ecs.availability-zone"
_ARCHITECTURE = "ecs.cpu-architecture"

DETAIL_LIMIT = 1024
"""Characters of a failure's detail: the numbers fit, a definition with a hundred required attributes is cut."""


def host_of(fact: instances.Instance) -> task_view.Host:
    """What a task shows of its instance."""
    return task_view.Host(
        connected=fact.connected,
        connected_at=fact.connected_at,
        availability_zone=fact.attributes.get(_ZONE, ""),
        cpu_architecture=fact.attributes.get(_ARCHITECTURE, ""),
    )


def respond(
    wanted: work.Wanted,
    intents: Iterable[tasks.Intent],
    refused: Iterable[refusals.Refusal],
    hosts: Mapping[str, task_view.Host],
    sequence: int | None,
) -> PlacingResponse:
    """The answer. `sequence`: the log's after the commit; None where nothing was committed."""
    run_task = wanted.asked.operation == asked.RUN_TASK
    response: PlacingResponse = (
        scheduler_service_pb2.RunTaskResponse() if run_task else scheduler_service_pb2.StartTaskResponse()
    )
    response.tasks.extend(
        task_view.render(
            tasks.Halves(intent, None),
            definition=wanted.definition,
            host=hosts.get(intent.instance_id),
            place=wanted.place,
            tags=True,
        )
        for intent in intents
    )
    response.failures.extend(_failure(refusal, wanted.asked.cluster, wanted.place) for refusal in refused)
    if sequence is not None:
        response.cursor = cursor.encode(wanted.asked.cluster, sequence)
    return response


def _failure(refusal: refusals.Refusal, cluster: str, place: arns.Place) -> common_pb2.Failure:
    detail = refusal.detail if len(refusal.detail) <= DETAIL_LIMIT else f"{refusal.detail[: DETAIL_LIMIT - 1]}…"
    return common_pb2.Failure(
        arn=place.container_instance(cluster, refusal.instance), reason=refusal.reason, detail=detail
    )
