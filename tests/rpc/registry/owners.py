"""The owners of tasks and container instances, as far as the registry needs them: they keep the tags of one resource each."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from longshore.registry.config import Config
from longshore.rpc import caller, errors, server
from longshore.v1 import common_pb2
from longshore.v1 import scheduler_service_pb2 as scheduler
from longshore.v1 import state_tracker_service_pb2 as tracker

KNOWN = "0" * 31 + "1"
"""Id of the one task and the one instance that there are."""


class Owner:
    """The tags of one resource, and on whose behalf and in which cluster they were last reached."""

    def __init__(self, unknown: type[errors.ServiceError]) -> None:
        """`unknown`: what it refuses any other resource with."""
        self._unknown = unknown
        self.tags: dict[str, str] = {}
        self.cluster = ""
        self.principal = ""
        self.address = ""

    def add(self, cluster: str, identifier: str, tags: Iterable[common_pb2.Tag]) -> None:
        self._reach(cluster, identifier)
        self.tags |= {tag.key: tag.value for tag in tags}

    def remove(self, cluster: str, identifier: str, keys: Iterable[str]) -> None:
        self._reach(cluster, identifier)
        for key in keys:
            self.tags.pop(key, None)

    def listed(self, cluster: str, identifier: str) -> list[common_pb2.Tag]:
        self._reach(cluster, identifier)
        return [common_pb2.Tag(key=key, value=value) for key, value in self.tags.items()]

    def _reach(self, cluster: str, identifier: str) -> None:
        if identifier != KNOWN:
            raise self._unknown("There is none such.", resource=identifier)
        self.cluster, self.principal = cluster, caller.current().principal


def _method(request: Any, answer: Callable[[Any], Any]) -> "grpc.RpcMethodHandler[Any, Any]":
    async def serve(message: Any, context: Any) -> Any:
        return answer(message)

    return grpc.unary_unary_rpc_method_handler(
        serve,
        request_deserializer=request.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


@asynccontextmanager
async def serving_scheduler() -> AsyncIterator[Owner]:
    """A scheduler on a free port."""
    owner = Owner(errors.InvalidParameterException)

    def add(request: scheduler.TagTaskRequest) -> scheduler.TagTaskResponse:
        owner.add(request.cluster, request.task, request.tags)
        return scheduler.TagTaskResponse()

    def remove(request: scheduler.UntagTaskRequest) -> scheduler.UntagTaskResponse:
        owner.remove(request.cluster, request.task, request.tag_keys)
        return scheduler.UntagTaskResponse()

    def listed(request: scheduler.ListTagsForTaskRequest) -> scheduler.ListTagsForTaskResponse:
        return scheduler.ListTagsForTaskResponse(tags=owner.listed(request.cluster, request.task))

    methods = {
        "TagTask": _method(scheduler.TagTaskRequest, add),
        "UntagTask": _method(scheduler.UntagTaskRequest, remove),
        "ListTagsForTask": _method(scheduler.ListTagsForTaskRequest, listed),
    }
    async with _serving(owner, "longshore.v1.SchedulerService", methods):
        yield owner


@asynccontextmanager
async def serving_tracker() -> AsyncIterator[Owner]:
    """A state-tracker on a free port."""
    owner = Owner(errors.TargetNotFoundException)

    def add(request: tracker.TagContainerInstanceRequest) -> tracker.TagContainerInstanceResponse:
        owner.add(request.cluster, request.container_instance, request.tags)
        return tracker.TagContainerInstanceResponse()

    def remove(request: tracker.UntagContainerInstanceRequest) -> tracker.UntagContainerInstanceResponse:
        owner.remove(request.cluster, request.container_instance, request.tag_keys)
        return tracker.UntagContainerInstanceResponse()

    def listed(
        request: tracker.ListTagsForContainerInstanceRequest,
    ) -> tracker.ListTagsForContainerInstanceResponse:
        tags = owner.listed(request.cluster, request.container_instance)
        return tracker.ListTagsForContainerInstanceResponse(tags=tags)

    methods = {
        "TagContainerInstance": _method(tracker.TagContainerInstanceRequest, add),
        "UntagContainerInstance": _method(tracker.UntagContainerInstanceRequest, remove),
        "ListTagsForContainerInstance": _method(tracker.ListTagsForContainerInstanceRequest, listed),
    }
    async with _serving(owner, "longshore.v1.StateTrackerService", methods):
        yield owner


@asynccontextmanager
async def _serving(
    owner: Owner, service: str, methods: "dict[str, grpc.RpcMethodHandler[Any, Any]]"
) -> AsyncIterator[None]:
    async with server.serving(Config(listen="127.0.0.1:0"), (server.handlers(service, methods),)) as running:
        owner.address = running.address
        yield
