"""SubmitTaskStateChange and its like: reports of hosts without a session, all that come together in one transaction per cluster.

A caller waits for the commit of what it said; while the database is away it is told so and repeats, which changes nothing that was
recorded.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from longshore.events.bus import Bus
from longshore.rpc import caller, errors, loops
from longshore.state_tracker import committed, gathering, metrics, scope, submission_commit, submissions, task_queries
from longshore.storage import definitions, tasks
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database
from longshore.v1 import state_tracker_service_pb2

# Submissions in one transaction, as of reports: beyond it a commit takes longer than it saves.
MAX_SUBMISSIONS = 500

ACKNOWLEDGED = "ACK"
"""What ECS answers to what it has taken."""

_log = structlog.get_logger(__name__)

_pb = state_tracker_service_pb2


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A submission under way, and its caller."""

    submitted: submission_commit.Submitted
    answer: "asyncio.Future[None]"

    def settle(self, error: errors.ServiceError | None = None) -> None:
        """Tell the caller, unless it has left."""
        if not self.answer.done():
            if error is None:
                self.answer.set_result(None)
            else:
                self.answer.set_exception(error)


class Submissions:
    """Takes submissions of all callers and commits them."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        supervisor: loops.Supervisor,
        measured: metrics.Metrics,
        *,
        scopes: scope.Scopes,
    ) -> None:
        self._database = database
        self._bus = bus
        self._metrics = measured
        self._scopes = scopes
        self._bodies = definitions.Bodies()
        self._gatherer: gathering.Gatherer[str, _Waiting] = gathering.Gatherer(
            "submissions", self._flush, supervisor=supervisor, limit=MAX_SUBMISSIONS
        )

    async def task(self, request: _pb.SubmitTaskStateChangeRequest) -> str:
        """Record what is said of a task; gives the acknowledgement."""
        cluster, task_id = await self._named(request.cluster, request.task)
        said = submissions.of_task(request, task_id)
        submissions.refuse_attachments(request.attachments)
        return await self._submit(cluster, said)

    async def container(self, request: _pb.SubmitContainerStateChangeRequest) -> str:
        """Record what is said of a container; gives the acknowledgement."""
        cluster, task_id = await self._named(request.cluster, request.task)
        return await self._submit(cluster, submissions.of_container(request, task_id))

    async def attachments(self, request: _pb.SubmitAttachmentStateChangesRequest) -> str:
        """Record what is said of attachments; gives the acknowledgement."""
        await self._scopes.existing(request.cluster)
        if not request.attachments:
            raise errors.InvalidParameterException("attachments can not be empty.")
        submissions.refuse_attachments(request.attachments)
        return ACKNOWLEDGED

    async def _named(self, cluster_text: str, task_text: str) -> tuple[str, str]:
        cluster = await self._scopes.existing(cluster_text)
        if not task_text:
            raise errors.InvalidParameterException("Task can not be empty.")
        return cluster, self._scopes.task(task_text, cluster)

    async def _submit(self, cluster: str, said: submissions.Submission) -> str:
        found = await self._database.read(lambda dialect: tasks.by_ids(dialect, cluster, [said.task_id]))
        if said.task_id not in found:
            raise errors.ClientException("The referenced task was not found.", task=said.task_id)
        halves = found[said.task_id]
        key = task_queries.key_of(halves)
        definition = (await self._bodies.load(self._database, (key,))).get(key)
        if definition is not None:
            submissions.check_containers(said, definition)
        submitted = submission_commit.Submitted(
            said, halves.intent.instance_id, submissions.essential(definition), caller.current()
        )
        waiting = _Waiting(submitted, asyncio.get_running_loop().create_future())
        self._gatherer.put(cluster, waiting)
        await waiting.answer
        return ACKNOWLEDGED

    async def _flush(self, cluster: str, batch: list[_Waiting]) -> None:
        for part in _one_each(batch):
            await self._record(cluster, part)

    async def _record(self, cluster: str, part: list[_Waiting]) -> None:
        submitted = [waiting.submitted for waiting in part]
        try:
            done = await self._database.run(lambda dialect: submission_commit.commit(dialect, cluster, submitted))
        except storage_errors.Unavailable as error:
            for waiting in part:
                waiting.settle(error)
            return
        except Exception:  # noqa: BLE001 - the boundary of the worker
            _log.exception("submissions_failed", cluster=cluster, submissions=len(part))
            for waiting in part:
                waiting.settle(errors.Unavailable("The report could not be recorded; try again."))
            return
        self._metrics.submissions_recorded += sum(
            waiting.submitted.instance_id not in done.spoken_for for waiting in part
        )
        self._metrics.events_appended += done.changed
        await committed.publish(self._bus, done.committed)
        for waiting in part:
            instance_id = waiting.submitted.instance_id
            waiting.settle(spoken_for(instance_id) if instance_id in done.spoken_for else None)


def spoken_for(instance_id: str) -> errors.ServiceError:
    """What a caller is told where an agent's session speaks for the task's instance."""
    return errors.ClientException(
        f"The agent of container instance {instance_id} is connected and reports its tasks itself.",
        containerInstance=instance_id,
    )


def _one_each(batch: list[_Waiting]) -> Iterator[list[_Waiting]]:
    """Parts in which each task occurs once, in the order in which it was spoken of: what came later is merged with what came before."""
    while batch:
        part: dict[str, _Waiting] = {}
        rest = [waiting for waiting in batch if part.setdefault(waiting.submitted.said.task_id, waiting) is not waiting]
        yield list(part.values())
        batch = rest
