"""DescribeTasks and ListTasks: both halves of tasks, as they are shown."""

from longshore.rpc import errors
from longshore.state_tracker import instance_rows, scope
from longshore.storage import definitions, pages, steps, tasks, waiting
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, state_tracker_service_pb2, task_pb2
from longshore.views import task as task_view

MAX_DESCRIBED = 100
MISSING = "MISSING"

_SERVICE_GROUP = "service:"


class TaskQueries:
    """Answers from one snapshot each. Stopped tasks stay visible until they are forgotten."""

    def __init__(self, database: Database, scopes: scope.Scopes) -> None:
        self._database = database
        self._scopes = scopes
        self._bodies = definitions.Bodies()

    async def describe(
        self, request: state_tracker_service_pb2.DescribeTasksRequest
    ) -> state_tracker_service_pb2.DescribeTasksResponse:
        """The tasks that the request names, and a failure for each that is not there."""
        cluster = self._scopes.cluster(request.cluster)
        if not request.tasks:
            raise errors.InvalidParameterException("Tasks cannot be empty.")
        if len(request.tasks) > MAX_DESCRIBED:
            raise errors.InvalidParameterException(
                f"tasks can have at most {MAX_DESCRIBED} items, {len(request.tasks)} were given."
            )
        ids = list(dict.fromkeys(self._scopes.task(text, cluster) for text in request.tasks))
        found, hosts, waits = await self._database.read(lambda dialect: _described(dialect, cluster, ids))
        bodies = await self._bodies.load(self._database, {key_of(halves) for halves in found.values()})
        place = self._scopes.place
        answer = state_tracker_service_pb2.DescribeTasksResponse()
        for task_id in ids:
            halves = found.get(task_id)
            if halves is None:
                answer.failures.add(arn=place.task(cluster, task_id), reason=MISSING)
                continue
            answer.tasks.append(
                task_view.render(
                    halves,
                    definition=bodies.get(key_of(halves)),
                    host=hosts.get(halves.intent.instance_id),
                    place=place,
                    tags=state_tracker_service_pb2.TASK_FIELD_TAGS in request.include,
                    waits=waits.get(task_id),
                )
            )
        return answer

    async def list_(
        self, request: state_tracker_service_pb2.ListTasksRequest
    ) -> state_tracker_service_pb2.ListTasksResponse:
        """ARNs of the tasks that pass the filters, a page at a time."""
        cluster = self._scopes.cluster(request.cluster)
        filters = self._filters(request, cluster)
        page = pages.of(request)
        after = page.after[0] if page.after else ""
        rows = await self._database.read(lambda _: _listed(cluster, filters, after, page.fetch))
        kept, token = page.cut(rows, lambda task_id: (task_id,))
        answer = state_tracker_service_pb2.ListTasksResponse(
            task_arns=[self._scopes.place.task(cluster, task_id) for task_id in kept]
        )
        if token:
            answer.next_token = token
        return answer

    def _filters(self, request: state_tracker_service_pb2.ListTasksRequest, cluster: str) -> tasks.Filters:
        if request.daemon_name:
            raise errors.InvalidParameterException("daemonName is not supported: Longshore has no managed daemons.")
        if "\0" in request.family + request.started_by + request.service_name:
            raise errors.InvalidParameterException("A filter contains the character NUL.")
        others = (request.container_instance, request.family, request.service_name)
        if request.started_by and any(others):
            raise errors.InvalidParameterException(
                "startedBy goes with no other filter than desiredStatus and launchType."
            )
        service = request.service_name.rpartition("/")[2]
        return tasks.Filters(
            instance_id=self._scopes.instance(request.container_instance, cluster)
            if request.container_instance
            else None,
            family=request.family.partition(":")[0] or None,
            started_by=request.started_by or None,
            group_name=_SERVICE_GROUP + service if service else None,
            launch_type=request.launch_type if request.launch_type != common_pb2.LAUNCH_TYPE_UNSPECIFIED else None,
            desired_status=request.desired_status or task_pb2.DESIRED_STATUS_RUNNING,
        )


def key_of(halves: tasks.Halves) -> definitions.Key:
    """The revision that a task runs."""
    return definitions.Key(halves.intent.family, halves.intent.definition_revision)


def _listed(cluster: str, filters: tasks.Filters, after: str, limit: int) -> steps.Step[list[str]]:
    yield from scope.found(cluster)
    return (yield from tasks.listed(cluster, filters, after, limit))


def _described(
    dialect: Dialect, cluster: str, ids: list[str]
) -> steps.Step[tuple[dict[str, tasks.Halves], dict[str, task_view.Host], dict[str, waiting.Place]]]:
    yield from scope.found(cluster)
    found = yield from tasks.by_ids(dialect, cluster, ids)
    instances = yield from instance_rows.by_ids(
        dialect, sorted({halves.intent.instance_id for halves in found.values()})
    )
    hosts = {
        instance_id: task_view.host(
            instance.stored.body, connected=instance.stored.connected, connected_at=instance.stored.connected_at
        )
        for instance_id, instance in instances.items()
    }
    unplaced = [halves.intent.task_id for halves in found.values() if halves.intent.waits]
    waits = (yield from waiting.places(dialect, cluster, unplaced)) if unplaced else {}
    return found, hosts, waits
