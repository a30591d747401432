"""The scheduler's operations: who decides, here or elsewhere, and what is asked of it. No gRPC; the adapter is `servicer`."""

import random
from collections.abc import Sequence

from longshore.events import cursor
from longshore.rpc import arns, caller, errors
from longshore.scheduler import (
    answers,
    asked,
    cluster_scheduler,
    directing,
    explained,
    instances,
    leadership,
    placing,
    request_rules,
    stops,
    task_tags,
    work,
)
from longshore.storage import definitions, steps, tasks, waiting
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import scheduler_service_pb2, task_pb2
from longshore.views import task as task_view

MAX_REASON = 1024
"""Characters of the reason of a StopTask."""


class Operations:
    """Every operation takes the ECS request and gives the ECS answer."""

    def __init__(
        self,
        *,
        database: Database,
        bodies: definitions.Bodies,
        account: str,
        any_region: bool,
        where: directing.Directing,
        placer: placing.Placing,
    ) -> None:
        self._database = database
        self._bodies = bodies
        self._account = account
        self._any_region = any_region
        self._directing = where
        self._placing = placer

    async def run_task(
        self, request: scheduler_service_pb2.RunTaskRequest, hop: directing.Hop
    ) -> scheduler_service_pb2.RunTaskResponse:
        """Place and start tasks."""
        place = self._place()
        wanted = asked.of_run_task(request, place=place)
        answer: scheduler_service_pb2.RunTaskResponse = await self._directing.decide(
            asked.RUN_TASK,
            wanted.cluster,
            request,
            hop,
            lambda leader: self._placing.place(leader, request, wanted, _cause(), place),
        )
        return answer

    async def run_tasks(
        self, request: scheduler_service_pb2.RunTasksRequest, hop: directing.Hop
    ) -> scheduler_service_pb2.RunTasksResponse:
        """Place and start many tasks."""
        place = self._place()
        wanted = asked.of_run_tasks(request, place=place)
        answer: scheduler_service_pb2.RunTasksResponse = await self._directing.decide(
            asked.RUN_TASKS,
            wanted.cluster,
            request,
            hop,
            lambda leader: self._placing.place(leader, request, wanted, _cause(), place),
        )
        return answer

    async def start_task(
        self, request: scheduler_service_pb2.StartTaskRequest, hop: directing.Hop
    ) -> scheduler_service_pb2.StartTaskResponse:
        """Start tasks on named instances."""
        place = self._place()
        wanted = asked.of_start_task(request, place=place)
        answer: scheduler_service_pb2.StartTaskResponse = await self._directing.decide(
            asked.START_TASK,
            wanted.cluster,
            request,
            hop,
            lambda leader: self._placing.place(leader, request, wanted, _cause(), place),
        )
        return answer

    async def stop_task(
        self, request: scheduler_service_pb2.StopTaskRequest, hop: directing.Hop
    ) -> scheduler_service_pb2.StopTaskResponse:
        """Have a task stopped; again and again if you like."""
        if len(request.reason) > MAX_REASON:
            raise errors.InvalidParameterException(
                f"reason has {len(request.reason)} characters, {MAX_REASON} are allowed."
            )
        if request_rules.NUL in request.reason:
            raise errors.InvalidParameterException("reason contains the character NUL.")
        cluster, task_id = self._task(request.cluster, request.task)
        stop = work.Stop(
            task_id, task_pb2.TASK_STOP_CODE_USER_INITIATED, request.reason or stops.DEFAULT_REASON, _cause()
        )
        answer: scheduler_service_pb2.StopTaskResponse = await self._directing.decide(
            "StopTask", cluster, request, hop, lambda leader: self._stop(leader, cluster, stop)
        )
        return answer

    async def explain_placement(
        self, request: scheduler_service_pb2.ExplainPlacementRequest, hop: directing.Hop
    ) -> scheduler_service_pb2.ExplainPlacementResponse:
        """Tell where tasks would go and why not elsewhere; nothing is placed."""
        place = self._place()
        run_task = scheduler_service_pb2.RunTaskRequest()
        run_task.CopyFrom(request.run_task)
        run_task.ClearField("client_token")
        definition = request.task_definition if request.HasField("task_definition") else None
        if definition is not None:
            run_task.task_definition = definition.family
        wanted = asked.of_run_task(run_task, place=place)

        async def here(
            leader: cluster_scheduler.ClusterScheduler,
        ) -> scheduler_service_pb2.ExplainPlacementResponse:
            ready = await self._placing.ready(wanted, _cause(), place, definition)
            found = await leader.explain(ready, random.Random())  # noqa: S311 - a dry run's draw
            return explained.respond(ready, ready.request(), found, place)

        answer: scheduler_service_pb2.ExplainPlacementResponse = await self._directing.decide(
            "ExplainPlacement", wanted.cluster, request, hop, here
        )
        return answer

    async def tag_task(self, request: scheduler_service_pb2.TagTaskRequest) -> scheduler_service_pb2.TagTaskResponse:
        """Add tags to a task."""
        cluster, task_id = self._task(request.cluster, request.task)
        faults = tuple(request_rules.tag_faults(request.tags))
        if faults or not request.tags:
            raise errors.InvalidParameterException(" ".join(faults) or "Tags can not be empty.")
        tags = {tag.key: tag.value for tag in request.tags}
        await self._database.run(lambda dialect: task_tags.add(dialect, cluster, task_id, tags))
        return scheduler_service_pb2.TagTaskResponse()

    async def untag_task(
        self, request: scheduler_service_pb2.UntagTaskRequest
    ) -> scheduler_service_pb2.UntagTaskResponse:
        """Remove tags from a task."""
        cluster, task_id = self._task(request.cluster, request.task)
        keys = tuple(request.tag_keys)
        await self._database.run(lambda dialect: task_tags.remove(dialect, cluster, task_id, keys))
        return scheduler_service_pb2.UntagTaskResponse()

    async def list_tags_for_task(
        self, request: scheduler_service_pb2.ListTagsForTaskRequest
    ) -> scheduler_service_pb2.ListTagsForTaskResponse:
        """The tags of a task."""
        cluster, task_id = self._task(request.cluster, request.task)
        tags = await self._database.read(lambda dialect: task_tags.read(dialect, cluster, task_id))
        return scheduler_service_pb2.ListTagsForTaskResponse(tags=tags)

    async def describe_leaders(
        self, request: scheduler_service_pb2.DescribeLeadersRequest
    ) -> scheduler_service_pb2.DescribeLeadersResponse:
        """Who leads which cluster."""
        place = self._place()
        names = tuple(arns.cluster(text, place=place).name for text in request.clusters)
        leases, waits = await self._database.read(lambda dialect: _led(dialect, names))
        return scheduler_service_pb2.DescribeLeadersResponse(
            leaders=[
                scheduler_service_pb2.Leader(
                    cluster=lease.cluster,
                    holder=lease.holder,
                    address=lease.address,
                    epoch=lease.epoch,
                    expired=lease.expired,
                    waiting_tasks=waits.get(lease.cluster, 0),
                )
                for lease in leases
            ]
        )

    async def _stop(
        self, leader: cluster_scheduler.ClusterScheduler, cluster: str, stop: work.Stop
    ) -> scheduler_service_pb2.StopTaskResponse:
        stopped = await leader.stop(stop)
        if not stopped.known:
            raise errors.InvalidParameterException(task_tags.NOT_FOUND, task=stop.task_id)
        response = scheduler_service_pb2.StopTaskResponse(task=await self._shown(cluster, stop.task_id))
        if stopped.sequence is not None:
            response.cursor = cursor.encode(cluster, stopped.sequence)
        return response

    async def _shown(self, cluster: str, task_id: str) -> task_pb2.Task:
        """A task as DescribeTasks shows it."""
        halves, host = await self._database.read(lambda dialect: _read_task(dialect, cluster, task_id))
        key = definitions.Key(halves.intent.family, halves.intent.definition_revision)
        bodies = await self._bodies.load(self._database, (key,))
        return task_view.render(halves, definition=bodies.get(key), host=host, place=self._place(), tags=True)

    def _task(self, cluster_text: str, task_text: str) -> tuple[str, str]:
        """Cluster and id of the task that a request names."""
        place = self._place()
        cluster = arns.cluster(cluster_text, place=place).name
        return cluster, arns.same_cluster(arns.task(task_text, place=place), cluster).name

    def _place(self) -> arns.Place:
        return arns.Place(account=self._account, region=caller.current().region, any_region=self._any_region)


def _led(dialect: Dialect, names: Sequence[str]) -> steps.Step[tuple[list[leadership.Lease], dict[str, int]]]:
    """The leases of these clusters, or of all, and how many of their tasks wait for capacity."""
    leases = yield from leadership.read_all(dialect, names)
    return leases, (yield from waiting.counts(dialect, [lease.cluster for lease in leases]))


def _read_task(dialect: Dialect, cluster: str, task_id: str) -> steps.Step[tuple[tasks.Halves, task_view.Host | None]]:
    halves = (yield from tasks.by_ids(dialect, cluster, [task_id])).get(task_id)
    if halves is None:
        raise errors.InvalidParameterException(task_tags.NOT_FOUND, task=task_id)
    row = yield from steps.fetch_row(
        f"SELECT {instances.COLUMNS} FROM container_instances WHERE instance_id = $1",  # noqa: S608 - our names
        halves.intent.instance_id,
    )
    return halves, answers.host_of(instances.parse(row)) if row is not None else None


def _cause() -> work.Cause:
    now = caller.current()
    return work.Cause(now.principal, now.request_id)
