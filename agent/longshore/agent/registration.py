"""Becoming a container instance of a cluster: the first time, again after each start, and anew after a deregistration."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from longshore.agent import stored
from longshore.rpc import backoff, errors
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

_log = structlog.get_logger(__name__)

DEFAULT_CLUSTER = "default"
CALL_TIMEOUT_S = 15.0
"""A registration is one small transaction; what takes longer is a control plane that is not well."""
REJECTED_PAUSE_S = 60.0
"""Pause after a wrong credential, which only a person can put right."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

_TRANSIENT = frozenset(
    {
        errors.Code.UNAVAILABLE,
        errors.Code.DEADLINE_EXCEEDED,
        errors.Code.RESOURCE_EXHAUSTED,
        errors.Code.INTERNAL,
        errors.Code.ABORTED,
        errors.Code.CANCELLED,
    }
)


class Refused(Exception):  # noqa: N818 - named by what happened
    """The control plane will not have this host as it is; trying again is in vain. The message says what to change."""


class Deregistered(Exception):  # noqa: N818 - named by what happened
    """The instance of this identity is no more."""


@dataclass(frozen=True, slots=True)
class Host:
    """What is told of this host."""

    cluster: str
    total_resources: list[common_pb2.Resource]
    attributes: list[common_pb2.Attribute]
    version_info: common_pb2.VersionInfo
    first_attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes that count at the first registration only; later ones are PutAttributes' business."""
    first_tags: Mapping[str, str] = field(default_factory=dict)


class Registrar:
    """Speaks with the registry and the state-tracker until this host is registered."""

    def __init__(
        self,
        *,
        tracker: "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub",
        registry: "registry_service_pb2_grpc.RegistryServiceAsyncStub",
        host: Host,
        pauses: backoff.Backoff | None = None,
    ) -> None:
        self._tracker = tracker
        self._registry = registry
        self._host = host
        self._pauses = pauses or backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)

    async def register(self, identity: stored.Identity | None) -> stored.Identity:
        """Register, again where there is an identity. Deregistered: that identity is void; Refused: give up."""
        if identity is not None and identity.cluster != self._host.cluster:
            raise Refused(
                f"this agent's state belongs to cluster {identity.cluster}, and LONGSHORE_CLUSTER is {self._host.cluster}. "
                "Set it back, or give the agent a fresh --state-dir to join the other cluster as a new instance."
            )
        self._pauses.reset()
        while True:
            try:
                return await self._once(identity)
            except errors.ClusterNotFoundException as error:
                await self._make_default(error)
            except errors.ServiceError as error:
                if identity is not None and error.code is errors.Code.NOT_FOUND:
                    raise Deregistered(error.message) from error
                if identity is not None and error.code is errors.Code.UNAUTHENTICATED:
                    # A person has to look; meanwhile nothing that runs is touched.
                    _log.error("identity_rejected", error=error.message, pause_s=REJECTED_PAUSE_S)
                    await asyncio.sleep(REJECTED_PAUSE_S)
                    continue
                if error.code not in _TRANSIENT:
                    raise Refused(f"the control plane refuses this host: {error.reason}: {error.message}") from error
                _log.warning("registration_failed", error_reason=error.reason, error=error.message)
                await self._pauses.sleep()

    async def _once(self, identity: stored.Identity | None) -> stored.Identity:
        request = state_tracker_service_pb2.RegisterContainerInstanceRequest(
            cluster=self._host.cluster,
            total_resources=self._host.total_resources,
            version_info=self._host.version_info,
            attributes=self._host.attributes,
        )
        if identity is None:
            request.attributes.extend(
                common_pb2.Attribute(name=name, value=value) for name, value in self._host.first_attributes.items()
            )
            request.tags.extend(common_pb2.Tag(key=key, value=value) for key, value in self._host.first_tags.items())
        else:
            request.container_instance_arn = identity.instance_arn
            request.instance_credential = identity.credential
        answer = await self._tracker.RegisterContainerInstance(request, timeout=CALL_TIMEOUT_S)
        arn = answer.container_instance.container_instance_arn
        return stored.Identity(
            instance_id=arn.rpartition("/")[2],
            instance_arn=arn,
            cluster=self._host.cluster,
            credential=identity.credential if identity is not None else answer.instance_credential,
        )

    async def _make_default(self, error: errors.ClusterNotFoundException) -> None:
        """Make the cluster `default`, which nobody makes by hand; any other has to exist."""
        if self._host.cluster != DEFAULT_CLUSTER:
            raise Refused(
                f"there is no cluster {self._host.cluster}. Make it (longshore cluster create {self._host.cluster}), "
                "or name another with LONGSHORE_CLUSTER."
            ) from error
        try:
            request = registry_service_pb2.CreateClusterRequest(cluster_name=DEFAULT_CLUSTER)
            await self._registry.CreateCluster(request, timeout=CALL_TIMEOUT_S)
        except errors.ServiceError as failure:
            _log.warning("default_cluster_not_created", error_reason=failure.reason, error=failure.message)
            await self._pauses.sleep()
        else:
            _log.info("default_cluster_created")
