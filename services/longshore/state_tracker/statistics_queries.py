"""GetTaskStatistics: what containers use, from the memory of the trackers that hold their agents' sessions.

Each tracker keeps the latest statistics of the sessions it holds, nothing else, and nowhere else. Whoever is asked answers for its own
and asks the other trackers for theirs, each once, all at the same time; a call that was passed on is answered from memory alone.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import arns, errors
from longshore.state_tracker import forwarding, held, scope
from longshore.storage import steps, tasks
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, state_tracker_service_pb2, statistics_pb2

MAX_TASKS = 1000
MAX_INSTANCES = 1000
MISSING = "MISSING"
NOT_SAMPLED = "NOT_SAMPLED"
DISCONNECTED = "DISCONNECTED"

Request = state_tracker_service_pb2.GetTaskStatisticsRequest
Response = state_tracker_service_pb2.GetTaskStatisticsResponse


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about. An empty tuple means all."""

    cluster: str
    task_ids: tuple[str, ...]
    instance_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where things are, by the tables."""

    instance_of: Mapping[str, str]
    """Instance of each task that was asked for and exists."""
    known: frozenset[str]
    """All instances of the cluster."""
    holders: Mapping[str, forwarding.Holder]
    """Who holds the session of each connected instance."""


class StatisticsQueries:
    """Answers from memory, and from that of the others."""

    def __init__(
        self,
        database: Database,
        scopes: scope.Scopes,
        holding: held.Held,
        forwarder: forwarding.Forwarder,
        *,
        tracker_id: str,
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._held = holding
        self._forwarder = forwarder
        self._tracker_id = tracker_id

    async def get(self, request: Request, *, forwarded: bool) -> Response:
        """The latest samples. `forwarded`: another tracker asks, and only for what is held here."""
        asked = self._asked(request)
        if forwarded:
            return self._answer(asked, self._own(asked, {}))
        places = await self._database.read(lambda dialect: _places(dialect, asked))
        found = self._own(asked, places.instance_of)
        away = await self._ask_others(asked, places, found)
        answer = self._answer(asked, found)
        answer.failures.extend(_failures(asked, places, found, away, self._scopes.place))
        return answer

    def _asked(self, request: Request) -> Asked:
        cluster = self._scopes.cluster(request.cluster)
        for name, given, most in (
            ("tasks", request.tasks, MAX_TASKS),
            ("containerInstances", request.container_instances, MAX_INSTANCES),
        ):
            if len(given) > most:
                raise errors.InvalidParameterException(
                    f"{name} can have at most {most} items, {len(given)} were given."
                )
        return Asked(
            cluster,
            tuple(dict.fromkeys(self._scopes.task(text, cluster) for text in request.tasks)),
            tuple(dict.fromkeys(self._scopes.instance(text, cluster) for text in request.container_instances)),
        )

    def _own(self, asked: Asked, homes: Mapping[str, str]) -> dict[str, statistics_pb2.TaskStatistics]:
        """What is held here, by task id. `homes`: instances of tasks, where known: no other one's word counts for them."""
        wanted = frozenset(asked.task_ids)
        mine = self._held.in_cluster(asked.cluster)
        chosen: Iterable[held.Live | None] = map(mine.get, asked.instance_ids) if asked.instance_ids else mine.values()
        return {
            sample.task: sample
            for live in chosen
            if live is not None and live.statistics is not None and not live.session.ended
            for sample in live.statistics.tasks
            if (not wanted or sample.task in wanted)
            and homes.get(sample.task, live.session.instance_id) == live.session.instance_id
        }

    async def _ask_others(
        self, asked: Asked, places: _Places, found: dict[str, statistics_pb2.TaskStatistics]
    ) -> dict[str, str]:
        """Add to `found` what the others hold; why each instance could not be asked whose holder did not answer."""
        instances: dict[forwarding.Holder, list[str]] = {}
        chosen = frozenset(asked.instance_ids) or (
            frozenset(places.instance_of.values()) if asked.task_ids else frozenset(places.holders)
        )
        for instance_id, holder in places.holders.items():
            if instance_id in chosen and holder.tracker_id != self._tracker_id:
                instances.setdefault(holder, []).append(instance_id)
        away: dict[str, str] = {}
        # For tasks only where they are: no other instance's word counts for them.
        answers = await asyncio.gather(
            *(
                self._ask(asked, holder, concerned if asked.task_ids else asked.instance_ids)
                for holder, concerned in instances.items()
            )
        )
        for (_, concerned), answer in zip(instances.items(), answers, strict=True):
            if isinstance(answer, errors.ServiceError):
                away.update(dict.fromkeys(concerned, answer.message))
                continue
            for sample in answer.tasks:
                sample.task = arns.task(sample.task).name
                found.setdefault(sample.task, sample)
        return away

    async def _ask(
        self, asked: Asked, holder: forwarding.Holder, instance_ids: Sequence[str]
    ) -> Response | errors.ServiceError:
        request = Request(cluster=asked.cluster, tasks=asked.task_ids, container_instances=instance_ids)
        try:
            answer: Response = await self._forwarder.call(holder.address, "GetTaskStatistics", request)
        except errors.ServiceError as error:
            return error
        return answer

    def _answer(self, asked: Asked, found: Mapping[str, statistics_pb2.TaskStatistics]) -> Response:
        place = self._scopes.place
        answer = Response()
        for task_id in sorted(found):
            sample = answer.tasks.add()
            sample.CopyFrom(found[task_id])
            sample.task = place.task(asked.cluster, task_id)
        return answer


def _failures(
    asked: Asked,
    places: _Places,
    found: Mapping[str, statistics_pb2.TaskStatistics],
    away: Mapping[str, str],
    place: arns.Place,
) -> list[common_pb2.Failure]:
    """What was asked for by name and has no sample, and whom nobody could ask; each with its reason. Pure."""
    failures: list[common_pb2.Failure] = []

    def add(arn: str, reason: str, detail: str | None = None) -> None:
        failures.append(common_pb2.Failure(arn=arn, reason=reason, detail=detail))

    for task_id in asked.task_ids:
        instance_id, arn = places.instance_of.get(task_id), place.task(asked.cluster, task_id)
        if task_id in found:
            continue
        if instance_id is None:
            add(arn, MISSING)
        elif instance_id in away or instance_id not in places.holders:
            add(arn, DISCONNECTED, away.get(instance_id, "No agent is connected for its container instance."))
        else:
            add(arn, NOT_SAMPLED, "It does not run, or has just begun to.")
    for instance_id in asked.instance_ids:
        arn = place.container_instance(asked.cluster, instance_id)
        if instance_id not in places.known:
            add(arn, MISSING)
        elif instance_id not in places.holders:
            add(arn, DISCONNECTED, "No agent is connected for it.")
    if not asked.task_ids:
        for instance_id, why in away.items():
            add(place.container_instance(asked.cluster, instance_id), DISCONNECTED, why)
    return failures


def _places(dialect: Dialect, asked: Asked) -> steps.Step[_Places]:
    yield from scope.found(asked.cluster)
    halves: Mapping[str, tasks.Halves] = {}
    if asked.task_ids:
        halves = yield from tasks.by_ids(dialect, asked.cluster, list(asked.task_ids))
    rows = yield from steps.fetch(
        "SELECT c.instance_id, c.connected, t.tracker_id, t.address FROM container_instances c"  # noqa: S608 - the dialect's own
        " LEFT JOIN instance_sessions s ON s.instance_id = c.instance_id"
        f" LEFT JOIN trackers t ON t.tracker_id = s.tracker_id AND t.expires_at >= {dialect.now}"
        " WHERE c.cluster = $1",
        asked.cluster,
    )
    return _Places(
        instance_of={task_id: half.intent.instance_id for task_id, half in halves.items()},
        known=frozenset(row["instance_id"] for row in rows),
        holders={
            row["instance_id"]: forwarding.Holder(row["tracker_id"], row["address"])
            for row in rows
            if row["connected"] and row["tracker_id"] is not None
        },
    )
