"""The refusals that only the HTTP side of ECS's wire knows, each with its status.

They are `ServiceError`s, so one handler renders them and the services' refusals alike, but they are not entered into the table of
`rpc.errors`: that table is what travels between processes over gRPC, and these are made and answered in the gateway. Were they in
it, what a component makes of a reason would depend on whether the gateway happens to run in the same process.

A refusal's `reason` is the name of its class, as for every other ServiceError.
"""

from typing import ClassVar

from longshore.rpc import errors


class Refusal(errors.ServiceError):
    """A refusal of the wire. `http_status` is the answer's status; `code` only says what it would be in gRPC's terms."""

    http_status: ClassVar[int] = 400

    def __init_subclass__(
        cls, *, status: int = 400, code: errors.Code = errors.Code.INVALID_ARGUMENT, reason: str = ""
    ) -> None:
        """Name the class without entering it into the table; `reason` is given where two statuses share a name."""
        super().__init_subclass__()
        cls.reason = reason or cls.__name__
        cls.http_status = status
        cls.code = code


# ------------------------------------------------------------------------------------------- what is no request of ours


class NotFoundException(Refusal, status=404, code=errors.Code.NOT_FOUND):
    """Nothing is served under this path."""


class MethodNotAllowedException(Refusal, status=405, code=errors.Code.UNIMPLEMENTED):
    """The path is served, by another method."""


class UnknownOperationException(Refusal, code=errors.Code.UNIMPLEMENTED):
    """The target names no operation that exists here."""


class UnsupportedMediaTypeException(Refusal, status=415):
    """The body is not declared as the JSON that is understood, or is encoded."""


class SerializationException(Refusal):
    """The body is no JSON, or does not fit the operation's input."""


class RequestEntityTooLargeException(Refusal, status=413, code=errors.Code.RESOURCE_EXHAUSTED):
    """The body is larger than any request may be."""


class RequestHeaderFieldsTooLargeException(Refusal, status=431, code=errors.Code.RESOURCE_EXHAUSTED):
    """The request line and the headers are larger, or more, than any request's may be."""


class RequestTimeoutException(Refusal, status=408, code=errors.Code.DEADLINE_EXCEEDED):
    """The request did not arrive whole in time."""


class ValidationException(Refusal):
    """A parameter of a GET (a filter, a position) is not usable."""


# ------------------------------------------------------------------------------------------- who calls


class MissingAuthenticationTokenException(Refusal, code=errors.Code.UNAUTHENTICATED):
    """The request is not signed, and has to be."""


class IncompleteSignatureException(Refusal, code=errors.Code.UNAUTHENTICATED):
    """The signature's parameters are not what Signature Version 4 has."""


class InvalidSignatureException(Refusal, code=errors.Code.UNAUTHENTICATED):
    """The signature is not that of this request, or is of another time, region or service."""


class UnrecognizedClientException(Refusal, code=errors.Code.UNAUTHENTICATED):
    """There is no such access key."""


class AccessDeniedException(Refusal, code=errors.Code.PERMISSION_DENIED):
    """The caller's role does not allow the operation. ECS's JSON protocol answers 400 here, not 403."""


class ForeignOriginException(Refusal, status=403, code=errors.Code.PERMISSION_DENIED, reason="AccessDeniedException"):
    """A web page of somewhere else asks an unverified gateway. 403: it is a browser that reads this, no ECS client."""


# ------------------------------------------------------------------------------------------- not now


class PrunedPositionException(Refusal, status=410, code=errors.Code.OUT_OF_RANGE):
    """The position from which events are asked for is no longer in the log."""


class ServiceUnavailableException(Refusal, status=503, code=errors.Code.UNAVAILABLE):
    """A component is away or the gateway is at a bound. Every ECS client repeats such a request by itself."""
