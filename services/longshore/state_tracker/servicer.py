"""StateTrackerService on the wire: message in, message out. Nothing is decided here.

WatchEvents answers bytes, serialised once for all watchers, and ReadLogs what agents have serialised; `app` registers them accordingly.
"""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeAlias

from longshore.rpc import errors, neighbours
from longshore.state_tracker import (
    attributes,
    endpoints,
    instance_changes,
    instance_queries,
    instance_rules,
    log_reading,
    own_standing,
    registration,
    scope,
    statistics_queries,
    submitting,
    tags,
    task_queries,
    watch,
)
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2, state_tracker_service_pb2_grpc
from longshore.views import container_instance

if TYPE_CHECKING:
    import grpc.aio

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_pb = state_tracker_service_pb2


class Servicer(state_tracker_service_pb2_grpc.StateTrackerServiceServicer):
    """One method per operation."""

    def __init__(
        self,
        *,
        scopes: scope.Scopes,
        registering: registration.Registration,
        changing: instance_changes.InstanceChanges,
        attributed: attributes.AttributeChanges,
        instances: instance_queries.InstanceQueries,
        tasks: task_queries.TaskQueries,
        submitted: submitting.Submissions,
        found_at: endpoints.Endpoints,
        watches: watch.Watches,
        logs: log_reading.LogReading,
        measured: statistics_queries.StatisticsQueries,
        standing: own_standing.OwnStanding,
    ) -> None:
        self._scopes = scopes
        self._registration = registering
        self._changes = changing
        self._attributes = attributed
        self._instances = instances
        self._tasks = tasks
        self._submissions = submitted
        self._endpoints = found_at
        self._watches = watches
        self._logs = logs
        self._statistics = measured
        self._standing = standing

    async def RegisterContainerInstance(  # noqa: N802 - ECS's name
        self, request: _pb.RegisterContainerInstanceRequest, _: Context
    ) -> _pb.RegisterContainerInstanceResponse:
        """Register a host."""
        return await self._registration.register(request)

    async def DeregisterContainerInstance(  # noqa: N802 - ECS's name
        self, request: _pb.DeregisterContainerInstanceRequest, _: Context
    ) -> _pb.DeregisterContainerInstanceResponse:
        """Take an instance out of its cluster."""
        cluster = self._scopes.cluster(request.cluster)
        instance_id = self._scopes.instance(request.container_instance, cluster)
        done = await self._changes.deregister(cluster, instance_id, force=request.force)
        return _pb.DeregisterContainerInstanceResponse(container_instance=self._render(done, instance_id))

    async def DescribeContainerInstances(  # noqa: N802 - ECS's name
        self, request: _pb.DescribeContainerInstancesRequest, _: Context
    ) -> _pb.DescribeContainerInstancesResponse:
        """Show instances."""
        return await self._instances.describe(request)

    async def ListContainerInstances(  # noqa: N802 - ECS's name
        self, request: _pb.ListContainerInstancesRequest, _: Context
    ) -> _pb.ListContainerInstancesResponse:
        """List instances."""
        return await self._instances.list_(request)

    async def UpdateContainerInstancesState(  # noqa: N802 - ECS's name
        self, request: _pb.UpdateContainerInstancesStateRequest, _: Context
    ) -> _pb.UpdateContainerInstancesStateResponse:
        """Drain instances, or make them ACTIVE again."""
        instance_rules.check_state(request.status)
        cluster = self._scopes.cluster(request.cluster)
        ids = instance_queries.named(
            request.container_instances, cluster, self._scopes, limit=instance_rules.MAX_UPDATED
        )
        if request.HasField("instance_credential"):
            instance_rules.check_own_draining(request.status, ids)
            done = await self._changes.drain_itself(cluster, ids[0], request.instance_credential)
        else:
            done = await self._changes.change(cluster, ids, instance_changes.to_state(request.status))
        place = self._scopes.place
        answer = _pb.UpdateContainerInstancesStateResponse(
            failures=instance_queries.missing(ids, done.instances, cluster, place)
        )
        for instance_id in ids:
            if instance_id in done.inactive:
                answer.failures.add(
                    arn=place.container_instance(cluster, instance_id), reason=instance_queries.INACTIVE
                )
            elif instance_id in done.instances:
                answer.container_instances.append(self._render(done, instance_id))
        return answer

    async def PutAttributes(  # noqa: N802 - ECS's name
        self, request: _pb.PutAttributesRequest, _: Context
    ) -> _pb.PutAttributesResponse:
        """Give instances attributes, or change their values."""
        cluster = self._scopes.cluster(request.cluster)
        return _pb.PutAttributesResponse(attributes=await self._attributes.put(cluster, request.attributes))

    async def DeleteAttributes(  # noqa: N802 - ECS's name
        self, request: _pb.DeleteAttributesRequest, _: Context
    ) -> _pb.DeleteAttributesResponse:
        """Take attributes from instances."""
        cluster = self._scopes.cluster(request.cluster)
        return _pb.DeleteAttributesResponse(attributes=await self._attributes.delete(cluster, request.attributes))

    async def ListAttributes(  # noqa: N802 - ECS's name
        self, request: _pb.ListAttributesRequest, _: Context
    ) -> _pb.ListAttributesResponse:
        """List the attributes of instances."""
        return await self._instances.list_attributes(request)

    async def DescribeTasks(self, request: _pb.DescribeTasksRequest, _: Context) -> _pb.DescribeTasksResponse:  # noqa: N802 - ECS's name
        """Show tasks."""
        return await self._tasks.describe(request)

    async def ListTasks(self, request: _pb.ListTasksRequest, _: Context) -> _pb.ListTasksResponse:  # noqa: N802 - ECS's name
        """List tasks."""
        return await self._tasks.list_(request)

    async def DiscoverPollEndpoint(  # noqa: N802 - ECS's name
        self, request: _pb.DiscoverPollEndpointRequest, _: Context
    ) -> _pb.DiscoverPollEndpointResponse:
        """Tell where this tracker is."""
        return await self._endpoints.discover(request)

    async def SubmitTaskStateChange(  # noqa: N802 - ECS's name
        self, request: _pb.SubmitTaskStateChangeRequest, _: Context
    ) -> _pb.SubmitTaskStateChangeResponse:
        """Take the report of a task whose host has no session."""
        return _pb.SubmitTaskStateChangeResponse(acknowledgment=await self._submissions.task(request))

    async def SubmitContainerStateChange(  # noqa: N802 - ECS's name
        self, request: _pb.SubmitContainerStateChangeRequest, _: Context
    ) -> _pb.SubmitContainerStateChangeResponse:
        """Take the report of a container whose host has no session."""
        return _pb.SubmitContainerStateChangeResponse(acknowledgment=await self._submissions.container(request))

    async def SubmitAttachmentStateChanges(  # noqa: N802 - ECS's name
        self, request: _pb.SubmitAttachmentStateChangesRequest, _: Context
    ) -> _pb.SubmitAttachmentStateChangesResponse:
        """Take the report of attachments."""
        return _pb.SubmitAttachmentStateChangesResponse(acknowledgment=await self._submissions.attachments(request))

    async def UpdateContainerAgent(  # noqa: N802 - ECS's name
        self, request: _pb.UpdateContainerAgentRequest, _: Context
    ) -> _pb.UpdateContainerAgentResponse:
        """Say why an agent is not updated."""
        raise await self._instances.agent_update(request)

    # Bytes in place of messages, see above.
    def WatchEvents(  # type: ignore[override]  # noqa: N802 - the contract's name
        self, request: _pb.WatchEventsRequest, _: Context
    ) -> AsyncGenerator[bytes, None]:
        """Stream what happens."""
        return self._watches.watch(request)

    # Bytes here too.
    def ReadLogs(  # type: ignore[override]  # noqa: N802 - the contract's name
        self, request: _pb.ReadLogsRequest, context: Context
    ) -> AsyncGenerator[bytes, None]:
        """Stream what a task's containers wrote."""
        forwarded = neighbours.was_forwarded(context.invocation_metadata() or ())
        return self._logs.read(request, forwarded=forwarded)

    async def DescribeStateTracker(  # noqa: N802 - the contract's name
        self, _: _pb.DescribeStateTrackerRequest, __: Context
    ) -> _pb.DescribeStateTrackerResponse:
        """Tell how this tracker stands."""
        return await self._standing.describe()

    async def GetTaskStatistics(  # noqa: N802 - the contract's name
        self, request: _pb.GetTaskStatisticsRequest, context: Context
    ) -> _pb.GetTaskStatisticsResponse:
        """Show what containers use."""
        forwarded = neighbours.was_forwarded(context.invocation_metadata() or ())
        return await self._statistics.get(request, forwarded=forwarded)

    async def TagContainerInstance(  # noqa: N802 - the contract's name
        self, request: _pb.TagContainerInstanceRequest, _: Context
    ) -> _pb.TagContainerInstanceResponse:
        """Add tags to an instance."""
        if not request.tags:
            raise errors.InvalidParameterException("tags cannot be empty.")
        tags.check(request.tags)
        await self._tag(request, instance_changes.to_tags(lambda before: tags.added(before, request.tags)))
        return _pb.TagContainerInstanceResponse()

    async def UntagContainerInstance(  # noqa: N802 - the contract's name
        self, request: _pb.UntagContainerInstanceRequest, _: Context
    ) -> _pb.UntagContainerInstanceResponse:
        """Remove tags from an instance."""
        await self._tag(request, instance_changes.to_tags(lambda before: tags.removed(before, request.tag_keys)))
        return _pb.UntagContainerInstanceResponse()

    async def ListTagsForContainerInstance(  # noqa: N802 - the contract's name
        self, request: _pb.ListTagsForContainerInstanceRequest, _: Context
    ) -> _pb.ListTagsForContainerInstanceResponse:
        """List the tags of an instance."""
        cluster = self._scopes.cluster(request.cluster)
        stored = await self._instances.one(cluster, self._scopes.instance(request.container_instance, cluster))
        return _pb.ListTagsForContainerInstanceResponse(tags=stored.body.tags)

    async def _tag(
        self,
        request: _pb.TagContainerInstanceRequest | _pb.UntagContainerInstanceRequest,
        change: instance_changes.Change,
    ) -> None:
        cluster = self._scopes.cluster(request.cluster)
        instance_id = self._scopes.instance(request.container_instance, cluster)
        done = await self._changes.change(cluster, [instance_id], change)
        if instance_id not in done.instances or instance_id in done.inactive:
            raise errors.ResourceNotFoundException(
                f"There is no container instance {instance_id} in cluster {cluster}, or it was deregistered."
            )

    def _render(self, done: instance_changes.Changed, instance_id: str) -> container_instance_pb2.ContainerInstance:
        return container_instance.render(
            done.instances[instance_id], done.usage[instance_id], place=self._scopes.place, tags=True
        )
