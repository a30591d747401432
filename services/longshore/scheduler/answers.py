"""What RunTask and StartTask answer, from what was committed. Pure."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from longshore.events import cursor
from longshore.rpc import arns
from longshore.scheduler import asked, instances, refusals, work
from longshore.storage import tasks, waiting
from longshore.v1 import common_pb2, scheduler_service_pb2
from longshore.views import task as task_view

PlacingResponse: TypeAlias = (
    scheduler_service_pb2.RunTaskResponse
    | scheduler_service_pb2.RunTasksResponse
    | scheduler_service_pb2.StartTaskResponse
)

_RESPONSES: Mapping[str, type[PlacingResponse]] = {
    asked.RUN_TASK: scheduler_service_pb2.RunTaskResponse,
    asked.RUN_TASKS: scheduler_service_pb2.RunTasksResponse,
    asked.START_TASK: scheduler_service_pb2.StartTaskResponse,
}

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


def parse(operation: str, answer: bytes) -> PlacingResponse:
    """An answer as a token remembers it."""
    return _RESPONSES[operation].FromString(answer)


def arns_of(answer: PlacingResponse) -> list[str]:
    """The tasks that an answer names."""
    if isinstance(answer, scheduler_service_pb2.RunTasksResponse):
        return [f"{answer.task_arn_prefix}{task_id}" for task_id in answer.task_ids]
    return [task.task_arn for task in answer.tasks]


def respond(
    wanted: work.Wanted,
    intents: Iterable[tasks.Intent],
    refused: Iterable[refusals.Refusal],
    hosts: Mapping[str, task_view.Host],
    sequence: int | None,
    reason: str = "",
) -> PlacingResponse:
    """The answer. `reason`: why those that wait do. `sequence`: the log's after the commit; None where nothing was committed."""
    response = _RESPONSES[wanted.asked.operation]()
    if sequence is not None:
        response.cursor = cursor.encode(wanted.asked.cluster, sequence)
    if isinstance(response, scheduler_service_pb2.RunTasksResponse):
        _fill(response, wanted, intents, refused)
        return response
    response.tasks.extend(
        task_view.render(
            tasks.Halves(intent, None),
            definition=wanted.definition,
            host=hosts.get(intent.instance_id),
            place=wanted.place,
            tags=True,
            waits=_place(wanted, intent, reason),
        )
        for intent in intents
    )
    response.failures.extend(_failure(refusal, wanted.asked.cluster, wanted.place) for refusal in refused)
    return response


def _place(wanted: work.Wanted, intent: tasks.Intent, reason: str) -> waiting.Place | None:
    """What a task that waits shows of it."""
    wait = wanted.asked.wait
    if wait is None or not intent.waits:
        return None
    deadline = intent.created_at + wait.timeout_s * 1_000_000
    return waiting.Place(intent.created_at, deadline, wait.priority, reason)


def _fill(
    response: scheduler_service_pb2.RunTasksResponse,
    wanted: work.Wanted,
    intents: Iterable[tasks.Intent],
    refused: Iterable[refusals.Refusal],
) -> None:
    """The tasks by their ids, and why there are no more by reason: the nearest miss of each, and how many there are."""
    cluster, place = wanted.asked.cluster, wanted.place
    response.task_arn_prefix = place.task(cluster, "")
    response.task_definition_arn = place.task_definition(wanted.revision.family, wanted.revision.revision)
    made = list(intents)
    response.task_ids.extend(intent.task_id for intent in made)
    if waits := sum(intent.waits for intent in made):
        response.waiting = waits
    by_reason: dict[str, scheduler_service_pb2.RunTasksFailure] = {}
    for refusal in refused:
        if refusal.reason not in by_reason:
            nearest = _failure(refusal, cluster, place)
            by_reason[refusal.reason] = response.failures.add(
                reason=refusal.reason, container_instance_arn=nearest.arn, detail=nearest.detail
            )
        by_reason[refusal.reason].instances += 1


def _failure(refusal: refusals.Refusal, cluster: str, place: arns.Place) -> common_pb2.Failure:
    detail = refusal.detail if len(refusal.detail) <= DETAIL_LIMIT else f"{refusal.detail[: DETAIL_LIMIT - 1]}…"
    return common_pb2.Failure(
        arn=place.container_instance(cluster, refusal.instance), reason=refusal.reason, detail=detail
    )
