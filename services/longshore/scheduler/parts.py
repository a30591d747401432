"""A request for many tasks in parts, each of which is one commit. Pure.

A part has a token of its own, made from the request's and its number, and is remembered in its own commit. So whoever repeats the request finds
what was placed, in order, and goes on after it; a part that falls short is the last, then and in every repetition.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.scheduler import answers, asked, work
from longshore.v1 import scheduler_service_pb2

PART_TASKS = 1_000
"""Tasks of one part: what a commit is at its best with."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts, from 0."""

    number: int
    asked: asked.Asked


def of(wanted: asked.Asked) -> Iterator[Part]:
    """The parts of a request. All but the first are remembered even where they place nothing, since the first has."""
    for number, start in enumerate(range(0, wanted.count, PART_TASKS)):
        count = min(PART_TASKS, wanted.count - start)
        yield Part(number, dataclasses.replace(wanted, count=count, settles=number > 0))


def claim(whole: work.Claim | None, number: int) -> work.Claim | None:
    """The token of a part. No caller's token has a space in it."""
    if whole is None:
        return None
    key = dataclasses.replace(whole.key, token=f"{whole.key.token} {number}")
    return work.Claim(key, whole.fingerprint)


def pinned(part: asked.Asked, before: scheduler_service_pb2.RunTasksResponse) -> asked.Asked:
    """A part of the revision that those before it have: the latest may have moved on."""
    if not before.task_definition_arn:
        return part
    return part.with_revision(int(before.task_definition_arn.rpartition(":")[2]))


def settles(error: errors.ServiceError, number: int) -> bool:
    """Whether an error is told beside what was placed before. Who can repeat the call and get further is told to do so."""
    return number > 0 and error.code is not errors.Code.UNAVAILABLE


def refused(
    error: errors.ServiceError, before: scheduler_service_pb2.RunTasksResponse
) -> scheduler_service_pb2.RunTasksResponse:
    """The answer of a part that was refused altogether."""
    answer = scheduler_service_pb2.RunTasksResponse(
        task_arn_prefix=before.task_arn_prefix, task_definition_arn=before.task_definition_arn
    )
    answer.failures.add(reason=error.reason, detail=error.message)
    return answer


def add(whole: scheduler_service_pb2.RunTasksResponse, answer: answers.PlacingResponse) -> int:
    """Take the answer of a part into that of the whole, whose cursor is the first part's; gives how many tasks the part has."""
    if not isinstance(answer, scheduler_service_pb2.RunTasksResponse):
        raise TypeError("a part is answered as the whole is")
    cursor, waiting = whole.cursor, whole.waiting + answer.waiting
    whole.MergeFrom(answer)
    if waiting:
        whole.waiting = waiting
    if cursor:
        whole.cursor = cursor
    return len(answer.task_ids)
