"""What happens around every RPC of every server: the caller is resolved, and errors leave as statuses with a name.

One gRPC interceptor wraps the four kinds of handlers. A `ServiceError` becomes its code with an ErrorInfo; gRPC's own AbortError
and cancellation pass; anything else is a fault of ours: logged with its traceback under an error id, and INTERNAL to the caller,
who sees that id and nothing of the exception.
"""

import asyncio
import contextlib
import dataclasses
import ipaddress
import logging
import re
import secrets
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from longshore.rpc import caller, declared, errors, status, tls

_log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

COMPONENT_PREFIX = "longshore-"
"""A client certificate whose common name begins so belongs to a component, which may call on behalf of others."""

Observe: TypeAlias = Callable[[str, str, float | None], None]
"""Is told of each RPC that has ended: its method's name, the name of its status code, and the seconds it took; None for a stream."""

_PLAIN = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,126}")
"""What is believed of a name in metadata: printable, and short enough for a log line and a column."""


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler. `trusting` is for servers told `--insecure`: they believe any peer whom it speaks for.

    Callers that speak of another region than the server's are refused, unless it serves `any_region`.
    """

    def __init__(
        self,
        *,
        region: str = caller.DEFAULT_REGION,
        any_region: bool = False,
        trusting: bool = False,
        observe: Observe | None = None,
    ) -> None:
        self._region = region
        self._any_region = any_region
        self._trusting = trusting
        self._observe = observe
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Awaitable[grpc.RpcMethodHandler[Any, Any] | None]"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the method's handler; None (no such method) becomes UNIMPLEMENTED by gRPC itself."""
        method = str(handler_call_details.method)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            # Handlers never change once a server has started, so each is wrapped once.
            wrapped = self._wrapped[method] = self._wrap(handler, method)
        return wrapped

    def _wrap(self, handler: "grpc.RpcMethodHandler[Any, Any]", method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        serializers = {
            "request_deserializer": _deserializer(handler),
            "response_serializer": handler.response_serializer,
        }
        # Typing knows a handler's functions as plain attributes of any type.
        kinds: Any = handler
        if kinds.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._answering(kinds.unary_unary, method), **serializers)
        if kinds.stream_unary:
            return grpc.stream_unary_rpc_method_handler(self._answering(kinds.stream_unary, method), **serializers)
        if kinds.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._streaming(kinds.unary_stream, method), **serializers)
        return grpc.stream_stream_rpc_method_handler(self._streaming(kinds.stream_stream, method), **serializers)

    def _answering(self, function: Callable[[Any, Context], Any], method: str) -> Callable[[Any, Context], Any]:
        async def answer(request: Any, context: Context) -> Any:
            try:
                self._enter(context, method)
                result = function(_read(request), context)
                return await result if isinstance(result, Awaitable) else result
            except asyncio.CancelledError as error:
                return await _refuse(_not_cancelled(error), context, method)
            except Exception as error:  # noqa: BLE001 - the boundary of the RPC
                return await _refuse(error, context, method)

        return self._observed(answer, method, timed=True)

    def _streaming(self, function: Callable[[Any, Context], Any], method: str) -> Callable[[Any, Context], Any]:
        async def stream(request: Any, context: Context) -> None:
            try:
                self._enter(context, method)
                result = function(_read(request), context)
                if isinstance(result, AsyncIterator):
                    # Closed here and now when the RPC is cancelled, so that the servicer's finally blocks run in its task.
                    async with contextlib.aclosing(result):  # type: ignore[type-var]  # generators, in practice
                        async for message in result:
                            if not await _written(context, message):
                                return
                elif isinstance(result, Awaitable):
                    await result
            except asyncio.CancelledError as error:
                await _refuse(_not_cancelled(error), context, method)
            except Exception as error:  # noqa: BLE001 - the boundary of the RPC
                await _refuse(error, context, method)

        return self._observed(stream, method, timed=False)

    def _observed(
        self, function: Callable[[Any, Context], Any], method: str, *, timed: bool
    ) -> Callable[[Any, Context], Any]:
        observe, name = self._observe, method.rpartition("/")[2]
        if observe is None:
            return function

        async def run(request: Any, context: Context) -> Any:
            began, code = time.perf_counter(), grpc.StatusCode.OK.name
            try:
                return await function(request, context)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED.name
                raise
            except grpc.aio.AbortError:
                code = _CODES.get(_number(context.code()), grpc.StatusCode.UNKNOWN.name)
                raise
            finally:
                seconds = time.perf_counter() - began
                observe(name, code, seconds if timed else None)
                if _level.isEnabledFor(logging.DEBUG):
                    _log.debug("rpc_ended", code=code, milliseconds=round(seconds * 1000, 3))

        return run

    def _enter(self, context: Context, method: str) -> None:
        """Set who is calling, for the task of this RPC."""
        sent = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        who = resolve(
            sent,
            peer=context.peer(),
            common_names=context.auth_context().get("x509_common_name", ()),
            region=self._region,
            trusting=self._trusting,
        )
        caller.set_current(who)
        structlog.contextvars.bind_contextvars(request_id=who.request_id, rpc=method)
        if not self._any_region:
            refuse_foreign(who.region, home=self._region)


_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def _number(code: Any) -> int:
    """Of a status code, which the context knows as a number or by its name."""
    return int(code.value[0] if isinstance(code, grpc.StatusCode) else code)


async def _written(context: Context, message: Any) -> bool:
    """Send a message of a stream; False where the caller has gone, which is not an error of anybody's."""
    try:
        await context.write(message)
    except (grpc.aio.BaseError, asyncio.InvalidStateError):
        return False
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class _Unreadable:
    """Stands for a request whose bytes are no message of its type."""

    fault: str


def _deserializer(handler: "grpc.RpcMethodHandler[Any, Any]") -> Callable[[bytes], Any] | None:
    """The handler's own, but that it does not raise: gRPC would log a traceback, and answer UNKNOWN with our types' names.

    Of a stream of requests it is left as it is: its handler would meet the stand-in.
    """
    deserialize = handler.request_deserializer
    if deserialize is None or handler.request_streaming:
        return deserialize

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as error:
            return _Unreadable(str(error))

    return read


def _read(request: Any) -> Any:
    if isinstance(request, _Unreadable):
        raise errors.InvalidParameterException(f"The request is no message of its type: {request.fault}")
    return request


def resolve(
    sent: dict[str, str], *, peer: str, common_names: Iterable[bytes], region: str, trusting: bool
) -> caller.Caller:
    """Who calls: from the peer's address, its certificate and, where the peer may speak for others, from what it sent."""
    name = next((name.decode("utf-8", "replace") for name in common_names), None)
    local = is_loopback_peer(peer)
    if local:
        principal = caller.LOCAL_ADMIN
    elif name is not None:
        principal = f"cert:{name}"
    else:
        principal = caller.ANONYMOUS
    believed = local or trusting or (name is not None and name.startswith(COMPONENT_PREFIX))
    if believed:
        principal = _plain(sent.get(caller.PRINCIPAL_KEY)) or principal
    return caller.Caller(
        principal=principal,
        request_id=_plain(sent.get(caller.REQUEST_ID_KEY)) or secrets.token_hex(16),
        region=_plain(sent.get(caller.REGION_KEY)) or region,
    )


def refuse_foreign(region: str, *, home: str) -> None:
    """Refuse a caller that speaks of another region than the one that is served."""
    if region != home:
        raise errors.InvalidParameterException(
            f"Your region is {region}. This is an installation of region {home}.", region=region, served=home
        )


def is_loopback_peer(peer: str) -> bool:
    """Whether gRPC's description of a peer (`ipv4:127.0.0.1:4711`, `ipv6:%5B::1%5D:4711`, `unix:…`) is on this machine."""
    scheme, _, address = peer.partition(":")
    if scheme == "unix":
        return True
    host = urllib.parse.unquote(address).rpartition(":")[0].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return tls.is_loopback_host(host)


def _plain(value: str | None) -> str | None:
    return value if value and _PLAIN.fullmatch(value) else None


def _not_cancelled(error: asyncio.CancelledError) -> errors.Unavailable:
    """Tell the end of the RPC, which passes on, from that of work it waited for (a batch at shutdown, a joined request).

    gRPC answers nothing at all after a CancelledError: of the second kind it would leave the caller hanging.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return errors.Unavailable("The work behind this call was given up; it may be repeated.")


async def _refuse(error: Exception, context: Context, method: str) -> None:
    """End the RPC with the status of an exception. Raises, but where the caller has gone: there is nobody to be told."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, NotImplementedError):
        error = errors.UnsupportedFeatureException(f"{method} is not supported by this server.")
    if isinstance(error, errors.ServiceError):
        _log.debug("rpc_refused", reason=error.reason, message=error.message)
        refusal = error
    else:
        error_id = secrets.token_hex(8)
        _log.error("rpc_failed", error_id=error_id, exc_info=error)
        refusal = errors.ServerException(
            f"Internal error {error_id}; the component's log tells more.", error_id=error_id
        )
    if declared.is_news(method, refusal):
        _log.warning("error_not_declared", reason=refusal.reason, message=refusal.message)
    message = status.to_proto(refusal)
    # A connection that breaks under the status is no fault of ours, and gRPC would log it as one. It knows that the RPC has ended.
    with contextlib.suppress(grpc.aio.InternalError):
        await context.abort(status.code_of(refusal), message.message, status.trailers(message))
