"""Leaving: an agent whose host is going away gives its tasks up in good order (`--drain-on-stop`).

The instance is set DRAINING, so that nothing more is placed on it; its tasks are stopped, each within its own timeout; and the agent stays until
the control plane has recorded their ends. The instance stays DRAINING: what becomes of it is the operator's decision.
"""

import asyncio

import structlog

from longshore.agent import engine, stored
from longshore.rpc import backoff, errors
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2, state_tracker_service_pb2_grpc

_log = structlog.get_logger(__name__)

REASON = "Container instance is being terminated: its agent was told to drain and stop."
CALL_TIMEOUT_S = 10.0
"""For one attempt at draining: a small transaction."""
ATTEMPTS = 3
"""A control plane that is away does not keep a host from leaving."""
RECORD_TIMEOUT_S = 60.0
"""From the end of the last task to its record. What is not recorded by then, the next start of this agent tells."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0


class Leaving:
    """How an agent leaves. `identity` is who it is, None before it has registered."""

    def __init__(
        self, host: engine.TaskEngine, tracker: "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub"
    ) -> None:
        self._host = host
        self._tracker = tracker
        self.identity: stored.Identity | None = None

    async def leave(self) -> None:
        """Drain, stop all tasks, and return when that is recorded."""
        if self.identity is not None:
            await self._drain(self.identity)
        self._host.leave(REASON)
        _log.info("leaving", tasks=self._host.running)
        while self._host.running:
            await self._host.until_ended()
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S):
                while self._host.untold:
                    await self._host.until_ended()
        except TimeoutError:
            _log.warning("left_without_record", tasks=self._host.untold)
        else:
            _log.info("left")

    async def _drain(self, identity: stored.Identity) -> None:
        request = state_tracker_service_pb2.UpdateContainerInstancesStateRequest(
            cluster=identity.cluster,
            container_instances=[identity.instance_id],
            status=container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING,
            instance_credential=identity.credential,
        )
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._tracker.UpdateContainerInstancesState(request, timeout=CALL_TIMEOUT_S)
            except errors.ServiceError as error:
                _log.warning("not_drained", attempt=attempt, error_reason=error.reason, error=error.message)
                if attempt < ATTEMPTS:
                    await pauses.sleep()
            else:
                for failure in answer.failures:
                    _log.warning("not_drained", attempt=attempt, error_reason=failure.reason)
                return
