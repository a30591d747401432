"""What a call can be refused with: one class per ECS exception, a few of our own beside them.

Every `ServiceError` has a `reason` (ECS's exception name, the same as its class), a gRPC `code`, a message for people, and
metadata (text to text) for programs. The class statements below are the one table of reason and code: the error interceptor of
`server` reads it in one direction, `channels` in the other. A subclass that names no code of its own (say storage's
`Unavailable`) travels as the class it derives from. This module imports no gRPC, so pure code can raise.
"""

# ruff: noqa: N818 - the classes bear the names that ECS gives its exceptions

import enum
from collections.abc import Mapping
from typing import ClassVar


class Code(enum.IntEnum):
    """The gRPC status codes that are used, with gRPC's numbers and names."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


RETRY_AFTER_MS = "retry_after_ms"
"""Metadata of a refusal that is over after so long; on the wire also gRPC's RetryInfo, for clients that know nothing of ours."""

MOVE = "move"
"""Metadata of the end of a session whose agent is asked to go to another replica, though this one would serve it."""


class ServiceError(Exception):
    """A refusal with a name. Raise one of the subclasses: `ClusterNotFoundException("Cluster not found.", cluster="web")`.

    Metadata values are turned into text; they reach the caller, so nothing sensitive belongs in them or in the message.
    """

    reason: ClassVar[str] = "ServerException"
    code: ClassVar[Code] = Code.INTERNAL
    request_id: str = ""
    """Id of the request that was refused, where a client knows it: what the components' logs have it under."""

    def __init__(self, message: str, /, **metadata: object) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, str] = {key: str(value) for key, value in metadata.items()}

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which to try again, where the refusal says so."""
        text = self.metadata.get(RETRY_AFTER_MS, "")
        return int(text) / 1000 if text.isdecimal() else None

    def __init_subclass__(cls, *, code: Code | None = None) -> None:
        """Enter a class that names a code into the table; any other inherits the reason and code of its base."""
        super().__init_subclass__()
        if code is None:
            return
        if cls.__name__ in _BY_REASON:
            raise TypeError(f"two errors are named {cls.__name__}")
        cls.reason = cls.__name__
        cls.code = code
        _BY_REASON[cls.__name__] = cls


_BY_REASON: dict[str, type[ServiceError]] = {}


# ------------------------------------------------------------------------------------------- ECS: any operation


class AccessDeniedException(ServiceError, code=Code.PERMISSION_DENIED):
    """The caller may not do this."""


class BlockedException(ServiceError, code=Code.PERMISSION_DENIED):
    """The account is blocked."""


class ClientException(ServiceError, code=Code.INVALID_ARGUMENT):
    """The request cannot be carried out as it stands: a resource it names, or the definition it carries, is not usable."""


class InvalidParameterException(ServiceError, code=Code.INVALID_ARGUMENT):
    """A parameter is not valid for this operation."""


class ServerException(ServiceError, code=Code.INTERNAL):
    """A fault on our side. Its metadata names the `error_id` under which the component logged it."""


class ThrottlingException(ServiceError, code=Code.RESOURCE_EXHAUSTED):
    """Too many calls; to be repeated later."""


# ------------------------------------------------------------------------------------------- ECS: what is not there


class ClusterNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The cluster does not exist or is not ACTIVE."""


class NamespaceNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The service-discovery namespace does not exist."""


class ResourceNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The resource of an ARN does not exist."""


class ServiceNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The service does not exist in this cluster."""


class TargetNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The target (a container instance, a task) does not exist in this cluster."""


class TaskSetNotFoundException(ServiceError, code=Code.NOT_FOUND):
    """The task set does not exist in this service."""


# ------------------------------------------------------------------------------------------- ECS: what is in the way


class ClusterContainsCapacityProviderException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The cluster still has capacity providers."""


class ClusterContainsContainerInstancesException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The cluster still has container instances."""


class ClusterContainsServicesException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The cluster still has services."""


class ClusterContainsTasksException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The cluster still has tasks."""


class ConflictException(ServiceError, code=Code.ALREADY_EXISTS):
    """A client token was used before, for a different request."""


class MissingVersionException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The version of the agent on this instance is not known."""


class NoUpdateAvailableException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The agent runs the newest version."""


class PlatformTaskDefinitionIncompatibilityException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The platform version cannot run this task definition."""


class PlatformUnknownException(ServiceError, code=Code.INVALID_ARGUMENT):
    """There is no such platform version."""


class ResourceInUseException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The resource is used by another and cannot be removed."""


class ServiceNotActiveException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The service is not ACTIVE."""


class TargetNotConnectedException(ServiceError, code=Code.FAILED_PRECONDITION):
    """The target's agent is not connected."""


class UnsupportedFeatureException(ServiceError, code=Code.UNIMPLEMENTED):
    """Longshore does not do this (also: the component has no such RPC)."""


class UpdateInProgressException(ServiceError, code=Code.FAILED_PRECONDITION):
    """An update of the same resource is under way."""


# ------------------------------------------------------------------------------------------- ECS: limits


class AttributeLimitExceededException(ServiceError, code=Code.RESOURCE_EXHAUSTED):
    """The resource would have more attributes than are allowed."""


class LimitExceededException(ServiceError, code=Code.RESOURCE_EXHAUSTED):
    """A limit of the account would be exceeded."""


# ------------------------------------------------------------------------------------------- ours: no ECS exception fits


class Aborted(ServiceError, code=Code.ABORTED):
    """Overtaken by another: a newer session, epoch or revision. To be begun again from the start, not just repeated."""


class Cancelled(ServiceError, code=Code.CANCELLED):
    """The other side gave the call up."""


class DeadlineExceeded(ServiceError, code=Code.DEADLINE_EXCEEDED):
    """No answer in time. The call may have been carried out."""


class OutOfRange(ServiceError, code=Code.OUT_OF_RANGE):
    """A cursor points at what no longer exists. Its metadata names the oldest that does."""


class ResourceExhausted(ServiceError, code=Code.RESOURCE_EXHAUSTED):
    """A queue, a buffer or a message size is at its limit."""


class Unauthenticated(ServiceError, code=Code.UNAUTHENTICATED):
    """The credential is missing or wrong."""


class Unavailable(ServiceError, code=Code.UNAVAILABLE):
    """Not now: a leader has changed, the database or a replica is away. May be repeated as it is.

    Adapters of the outside world derive their own class from it without naming a code
    (`class Unavailable(errors.Unavailable)` in storage), and it travels as this one.
    """


_BY_CODE: Mapping[Code, type[ServiceError]] = {
    Code.CANCELLED: Cancelled,
    Code.INVALID_ARGUMENT: InvalidParameterException,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.NOT_FOUND: ResourceNotFoundException,
    Code.ALREADY_EXISTS: ConflictException,
    Code.PERMISSION_DENIED: AccessDeniedException,
    Code.RESOURCE_EXHAUSTED: ResourceExhausted,
    Code.FAILED_PRECONDITION: ResourceInUseException,
    Code.ABORTED: Aborted,
    Code.OUT_OF_RANGE: OutOfRange,
    Code.UNIMPLEMENTED: UnsupportedFeatureException,
    Code.INTERNAL: ServerException,
    Code.UNAVAILABLE: Unavailable,
    Code.UNAUTHENTICATED: Unauthenticated,
}
"""What a bare status becomes, sent by something that attaches no ErrorInfo (gRPC itself, a proxy)."""


def table() -> Mapping[str, type[ServiceError]]:
    """Every reason and its class."""
    return dict(_BY_REASON)


def of_reason(reason: str, message: str, metadata: Mapping[str, str] | None = None) -> ServiceError | None:
    """The error with this reason; None where it is not ours."""
    found = _BY_REASON.get(reason)
    return _made(found, message, metadata) if found else None


def of_code(code: int, message: str, metadata: Mapping[str, str] | None = None) -> ServiceError:
    """The error that stands for a bare gRPC code; UNKNOWN, DATA_LOSS and numbers unheard of are a ServerException."""
    try:
        found = _BY_CODE[Code(code)]
    except ValueError:
        found = ServerException
    return _made(found, message, metadata)


def _made(found: type[ServiceError], message: str, metadata: Mapping[str, str] | None) -> ServiceError:
    """Set the metadata aside from the arguments: its keys come from outside and need not be identifiers."""
    error = found(message)
    error.metadata.update(metadata or {})
    return error
