"""Tags of a task and of this instance, asked of the registry when a container wants to know them."""

from collections.abc import Mapping

from longshore.agent.metadata import metadata_server
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2, registry_service_pb2_grpc

CALL_TIMEOUT_S = 2.0
"""A container waits for its answer meanwhile, and may not wait for long."""
_UNAVAILABLE = frozenset({errors.Code.UNAVAILABLE, errors.Code.DEADLINE_EXCEEDED})


class ResourceTags:
    """Asks the registry."""

    def __init__(self, registry: "registry_service_pb2_grpc.RegistryServiceAsyncStub") -> None:
        self._registry = registry

    async def of(self, arn: str) -> Mapping[str, str]:
        """Tags of a resource. Raises TagsRefused."""
        try:
            answer = await self._registry.ListTagsForResource(
                registry_service_pb2.ListTagsForResourceRequest(resource_arn=arn), timeout=CALL_TIMEOUT_S
            )
        except errors.ServiceError as error:
            status = 503 if error.code in _UNAVAILABLE else 400
            raise metadata_server.TagsRefused(error.reason, error.message, status) from error
        return {tag.key: tag.value for tag in answer.tags}
