"""DiscoverPollEndpoint: where this tracker is, for those who ask as an agent of ECS does."""

from longshore.rpc import errors
from longshore.state_tracker import scope
from longshore.v1 import state_tracker_service_pb2


class Endpoints:
    """Answers with the address under which others reach this tracker, once that is known."""

    def __init__(self, scopes: scope.Scopes, *, secure: bool) -> None:
        self._scopes = scopes
        self._scheme = "https" if secure else "http"
        self._address: str | None = None

    def announce(self, address: str) -> None:
        """Set the address, host:port."""
        self._address = address

    async def discover(
        self, request: state_tracker_service_pb2.DiscoverPollEndpointRequest
    ) -> state_tracker_service_pb2.DiscoverPollEndpointResponse:
        """The answer. A cluster that is named must exist; an instance must be one of it by its name."""
        cluster = (
            await self._scopes.existing(request.cluster) if request.cluster else self._scopes.cluster(request.cluster)
        )
        if request.container_instance:
            self._scopes.instance(request.container_instance, cluster)
        if self._address is None:
            raise errors.Unavailable("This state-tracker is about to listen; try again.")
        url = f"{self._scheme}://{self._address}/"
        return state_tracker_service_pb2.DiscoverPollEndpointResponse(endpoint=url, telemetry_endpoint=url)
