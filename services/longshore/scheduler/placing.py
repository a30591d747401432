"""RunTask and StartTask at the leader: look up, judge, queue, answer; under a client token once."""

import dataclasses

from longshore.events import cursor
from longshore.rpc import arns, errors
from longshore.scheduler import (
    answers,
    asked,
    claims,
    cluster_scheduler,
    definition_rules,
    jobs,
    lookups,
    metrics,
    overrides,
    parts,
    requirements,
    task_tags,
    tokens,
    work,
)
from longshore.storage import definitions
from longshore.v1 import record_pb2, scheduler_service_pb2, task_definition_pb2

RESOLUTIONS = 3
"""How often a family's latest revision is looked up for one request, when it is deregistered under it."""


class Placing:
    """The two operations."""

    def __init__(self, found: lookups.Lookups, in_flight: claims.Claims, measured: metrics.Metrics) -> None:
        self._lookups = found
        self._metrics = measured
        self._claims = in_flight

    async def place(
        self,
        leader: cluster_scheduler.ClusterScheduler,
        request: asked.PlacingRequest,
        wanted: asked.Asked,
        cause: work.Cause,
        place: arns.Place,
    ) -> answers.PlacingResponse:
        """Answer a request for tasks. Raises what refuses it."""
        do = self._in_parts if wanted.operation == asked.RUN_TASKS else self._resolved
        if not wanted.token:
            return await do(leader, wanted, cause, place, None)
        key = tokens.Key(cause.principal, wanted.operation, wanted.cluster, wanted.token)
        claim = work.Claim(key, tokens.fingerprint(request, place.region))
        return await self._claims.once(key, claim.fingerprint, lambda: do(leader, wanted, cause, place, claim))

    async def _in_parts(
        self,
        leader: cluster_scheduler.ClusterScheduler,
        wanted: asked.Asked,
        cause: work.Cause,
        place: arns.Place,
        claim: work.Claim | None,
    ) -> scheduler_service_pb2.RunTasksResponse:
        """Place many tasks, a commit's worth at a time, each under a token of its own: a repetition goes on where the first ended."""
        whole = scheduler_service_pb2.RunTasksResponse()
        with leader.promised(wanted.count) as promise:
            for part in parts.of(wanted):
                try:
                    answer = await self._resolved(
                        leader,
                        parts.pinned(part.asked, whole),
                        cause,
                        place,
                        parts.claim(claim, part.number),
                        promise,
                    )
                except errors.ServiceError as error:
                    if not parts.settles(error, part.number):
                        raise
                    answer = parts.refused(error, whole)
                if parts.add(whole, answer) < part.asked.count:
                    break
        if unplaced := wanted.count - len(whole.task_ids):
            whole.unplaced = unplaced
        return whole

    async def ready(
        self,
        wanted: asked.Asked,
        cause: work.Cause,
        place: arns.Place,
        definition: task_definition_pb2.TaskDefinition | None = None,
    ) -> work.Wanted:
        """A request with all that is known, as it would be placed. Raises what refuses it. `definition`: one that is not registered."""
        if definition is None:
            found = await self._lookups.find(lookups.Wish(wanted.family, wanted.revision))
        else:
            found = lookups.Found(definitions.Key(definition.family, 0), definition)
        if found.key is None or found.body is None:
            raise AssertionError("a look-up that finds nothing raises")
        definition_rules.check(wanted, found.body)
        return _ready(wanted, found.key, found, cause, place, None)

    async def _resolved(
        self,
        leader: cluster_scheduler.ClusterScheduler,
        wanted: asked.Asked,
        cause: work.Cause,
        place: arns.Place,
        claim: work.Claim | None,
        promise: jobs.Promise | None = None,
    ) -> answers.PlacingResponse:
        """Look up and place; once more with the new latest revision where the one before was deregistered meanwhile."""
        wish = lookups.Wish(
            wanted.family, wanted.revision, claim.key if claim is not None else None, tags=wanted.inherits_tags
        )
        for attempt in range(1, RESOLUTIONS + 1):
            found = await self._lookups.find(wish)
            if found.remembered is not None and claim is not None:
                same = found.remembered.fingerprint == claim.fingerprint
                self._metrics.tokens["repeated" if same else "conflict"] += 1
                return _repeated(claim, found.remembered)
            if claim is not None and attempt == 1:
                self._metrics.tokens["new"] += 1
            if found.key is None or found.body is None:
                raise AssertionError("a look-up that finds nothing raises")
            definition_rules.check(wanted, found.body)
            ready = _ready(wanted, found.key, found, cause, place, claim)
            try:
                return _answer(ready, await leader.place(ready, promise))
            except work.StaleDefinition:
                if wanted.revision is not None or attempt == RESOLUTIONS:
                    raise
        raise AssertionError("the last attempt raises")


def _ready(
    wanted: asked.Asked,
    key: definitions.Key,
    found: lookups.Found,
    cause: work.Cause,
    place: arns.Place,
    claim: work.Claim | None,
) -> work.Wanted:
    """The request with all that is known now."""
    if found.body is None:
        raise AssertionError("a look-up that finds nothing raises")
    amounts = overrides.merge(found.body, wanted.overrides)
    record = record_pb2.TaskIntentRecord()
    record.CopyFrom(wanted.record)
    record.launch_type = wanted.launch_type
    record.cpu = str(amounts.cpu) if amounts.cpu else ""
    record.memory = str(amounts.memory) if amounts.memory else ""
    record.principal = cause.principal
    record.request_id = cause.request_id
    task_tags.pack(record, asked.merged_tags(wanted.tags, found.tags))
    return work.Wanted(
        asked=dataclasses.replace(wanted, record=record),
        revision=key,
        definition=found.body,
        needs=requirements.of(found.body, wanted.overrides),
        body=record.SerializeToString(),
        cause=cause,
        place=place,
        claim=claim,
    )


def _answer(ready: work.Wanted, placed: jobs.Placed) -> answers.PlacingResponse:
    if placed.answer is None:
        return answers.respond(ready, placed.intents, placed.refused, placed.hosts, placed.sequence, placed.reason)
    response = answers.parse(ready.asked.operation, placed.answer)
    if placed.sequence is not None:
        response.cursor = cursor.encode(ready.asked.cluster, placed.sequence)
    return response


def _repeated(claim: work.Claim, remembered: tokens.Remembered) -> answers.PlacingResponse:
    """What a token's first request was answered; a conflict where it was another request."""
    answer = answers.parse(claim.key.operation, remembered.answer)
    if remembered.fingerprint != claim.fingerprint:
        raise claims.conflict(claim.key, answer)
    return answer
