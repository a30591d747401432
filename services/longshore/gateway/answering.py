"""One request of an operation, from its bytes to the bytes of its answer.

Nothing that happens on the way leaves as anything but an answer of ECS's form: a refusal has its name, and whatever is a fault of
ours is logged under an error id, which is all that the caller sees of it.
"""

import asyncio
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog
from google.protobuf.message import Message

from longshore.client import client as clients
from longshore.gateway import metrics, operations, origins, refusals, wire
from longshore.rpc import caller, codec, errors
from longshore.v1 import options_pb2

_log = structlog.get_logger(__name__)

LARGE_BYTES = 256 * 1024
"""Documents above this are converted in a thread: everybody else's requests would wait for them. What is smaller takes less than the five
milliseconds after which Python's threads hand the interpreter to each other, so a thread would only delay it."""


class Identity(Protocol):
    """Who makes a request, and what they may do; `authentication.Identity` is one."""

    @property
    def principal(self) -> str:
        """The name under which the request is recorded."""

    @property
    def role(self) -> int:
        """What they may do, by number of `options_pb2.Role`."""

    @property
    def region(self) -> str:
        """The region that they spoke of."""


class Authenticator(Protocol):
    """Tells who makes a request; `authentication.Authenticator` is one."""

    def authenticate(self, request: wire.Request) -> Awaitable[Identity]:
        """The identity, or a refusal raised."""


class Answerer:
    """Answers requests of operations."""

    def __init__(
        self,
        *,
        client: clients.Client,
        authenticator: Authenticator,
        offered: Mapping[str, operations.Operation],
        methods: Mapping[str, operations.Bound],
        measured: metrics.Metrics,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """Prepare.

        Args:
            client: makes the calls.
            authenticator: tells who calls.
            offered: the operations that there are, by name.
            methods: the method of the client's stub for each of them.
            measured: is kept up to date.
            new_id: makes ids of requests.
        """
        self._client = client
        self._authenticator = authenticator
        self._offered = offered
        self._methods = methods
        self._measured = measured
        self._new_id = new_id

    async def answer(self, request: wire.Request) -> wire.Answer:
        """The answer to a request, whatever it is."""
        began = time.perf_counter()
        request_id = self._new_id()
        named = ""
        self._measured.under_way += 1
        try:
            operation = self._operation(request)
            named = operation.name
            body = await self._carried_out(operation, request, request_id)
            answer = wire.Answer(200, body, request_id)
        except errors.ServiceError as error:
            answer = wire.refused(error, request_id)
            if answer.status < 500:
                _log.debug("request_refused", operation=named, request_id=request_id, reason=answer.reason)
            else:
                # What failed behind us: the message names the component's error id, or what could not be reached.
                _log.warning("request_unanswered", operation=named, request_id=request_id, message=error.message)
        except Exception:  # noqa: BLE001 - the boundary of the request
            answer = wire.refused(failed("request_failed", operation=named, request_id=request_id), request_id)
        finally:
            self._measured.under_way -= 1
        self._measured.requests[named, str(answer.status)] += 1
        self._measured.request.observe(time.perf_counter() - began)
        return answer

    def _operation(self, request: wire.Request) -> operations.Operation:
        name = wire.operation_of(request)
        operation = self._offered.get(name)
        if operation is None:
            raise wire.unknown(name)
        wire.check_content(request)
        return operation

    async def _carried_out(self, operation: operations.Operation, request: wire.Request, request_id: str) -> bytes:
        identity = await self._authenticator.authenticate(request)
        origins.check(request, identity.principal)
        check_role(identity, operation)
        extensions = request.wants_extensions
        message = await _read(operation.request, request.body, extensions=extensions)
        answer = await self._called(
            operation.name, message, caller.Caller(identity.principal, request_id, identity.region)
        )
        return await _written(answer, extensions=extensions)

    async def _called(self, operation: str, message: Message, who: caller.Caller) -> Message:
        began = time.perf_counter()
        try:
            with caller.acting_as(who):
                answer: Message = await self._client.call(self._methods[operation], message)
        finally:
            self._measured.call.observe(time.perf_counter() - began)
        return answer


def check_role(identity: Identity, operation: operations.Operation) -> None:
    """Refuse a caller whose role is below the operation's."""
    if identity.role < operation.role:
        raise refusals.AccessDeniedException(
            f"{identity.principal} is not authorized to perform: ecs:{operation.name}; "
            f"its role is {_role_name(identity.role)}, and the operation needs {_role_name(operation.role)}."
        )


def failed(event: str, **logged: object) -> errors.ServerException:
    """Log the exception that is being handled as a fault of ours; what the caller is told of it."""
    error_id = secrets.token_hex(8)
    _log.exception(event, error_id=error_id, **logged)
    return errors.ServerException(f"Internal error {error_id}; the gateway's log tells more.", error_id=error_id)


async def _read(kind: type[Message], body: bytes, *, extensions: bool) -> Message:
    """The message of a body. An empty body is an empty object, as ECS takes it."""
    document = body or b"{}"
    if len(document) <= LARGE_BYTES:
        return codec.from_json(kind, document, longshore_only=extensions)
    return await asyncio.to_thread(codec.from_json, kind, document, longshore_only=extensions)


async def _written(message: Message, *, extensions: bool) -> bytes:
    if message.ByteSize() <= LARGE_BYTES:
        return _encoded(message, extensions)
    return await asyncio.to_thread(_encoded, message, extensions)


def _encoded(message: Message, extensions: bool) -> bytes:  # noqa: FBT001 - one of the two ways to write a message
    document: dict[str, Any] = codec.to_json(message, longshore_only=extensions)
    return wire.encoded(document)


def _role_name(role: int) -> str:
    """A role as people write it: `read-only`."""
    value = options_pb2.Role.DESCRIPTOR.values_by_number.get(role)
    return str(value.GetOptions().Extensions[options_pb2.ecs_value] or value.name) if value else str(role)
