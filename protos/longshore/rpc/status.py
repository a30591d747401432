"""`ServiceError` to and from the wire: `google.rpc.Status` with an `ErrorInfo` whose reason is ECS's exception name."""

from collections.abc import Mapping

import grpc
import grpc.aio
from google.protobuf import duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships stubs without a marker

from longshore.rpc import errors

DOMAIN = "longshore"
"""The domain of our ErrorInfo, so that reasons of a proxy on the way are never taken for ours."""

DETAILS_KEY = "grpc-status-details-bin"
"""The trailer in which gRPC carries a google.rpc.Status."""

MESSAGE_LIMIT = 2_500
"""Bytes of a message on the wire. It is sent twice (plain and in the status, in base64), and a client with gRPC's defaults drops
answers whose metadata exceeds 8 KiB."""

_NOTE_LIMIT = 50
"""Bytes of the note that a message was cut."""

METADATA_LIMIT = 1_000
"""Bytes of all metadata together, for the same reason."""

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def to_proto(error: errors.ServiceError) -> status_pb2.Status:
    """The status of an error. What does not fit into a trailer is cut, and says so."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=_fitting(error.metadata))
    message = status_pb2.Status(code=int(error.code), message=_cut(_utf8(error.message)))
    message.details.add().Pack(info)
    if (retry_after_s := error.retry_after_s) is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(retry_after_s * 1000))
        message.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return message


def from_proto(message: status_pb2.Status) -> errors.ServiceError:
    """The error of a status; by its code alone where it carries no ErrorInfo of ours."""
    for detail in message.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            known = errors.of_reason(info.reason, message.message, info.metadata)
            # A release newer than this one may know reasons that we do not: its code still says what to do.
            return known or errors.of_code(message.code, f"{info.reason}: {message.message}", info.metadata)
    return errors.of_code(message.code, message.message)


def code_of(error: errors.ServiceError) -> grpc.StatusCode:
    """The error's code as gRPC's Python names it."""
    return _CODES[int(error.code)]


def trailers(message: status_pb2.Status) -> tuple[tuple[str, bytes], ...]:
    """What to hand to `context.abort` as trailing metadata."""
    return ((DETAILS_KEY, message.SerializeToString()),)


def from_rpc_error(error: grpc.aio.AioRpcError) -> errors.ServiceError:
    """What a failed call means to us.

    A server that stops answers CANCELLED to what reached it and was not begun. Whoever cancels a call here hears of it otherwise.
    """
    number = error.code().value[0]
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                message = status_pb2.Status.FromString(value)
            except DecodeError:
                break
            if message.code == number:
                return from_proto(message)
    if error.code() is grpc.StatusCode.CANCELLED:
        return errors.Unavailable("The server has ended the call; it is stopping, or has lost the connection.")
    return errors.of_code(number, error.details() or error.code().name)


def _cut(text: str) -> str:
    """As much of a message as fits, measured as gRPC sends it (percent-encoded)."""
    size = 0
    fitting = 0
    for index, character in enumerate(text):
        size += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if size <= MESSAGE_LIMIT - _NOTE_LIMIT:
            fitting = index + 1
        elif size > MESSAGE_LIMIT:
            return f"{text[:fitting]} … ({len(text) - fitting} more characters)"
    return text


def _fitting(metadata: Mapping[str, str]) -> dict[str, str]:
    """The entries that fit, in their order; the others are left out."""
    kept: dict[str, str] = {}
    size = 0
    for key, value in metadata.items():
        text = _utf8(value)
        size += len(key.encode()) + len(text.encode())
        if size <= METADATA_LIMIT:
            kept[key] = text
    return kept


def _utf8(text: str) -> str:
    """Without lone surrogates: JSON can spell them, protobuf cannot carry them, and an error must not fail in its turn."""
    return text.encode("utf-8", "replace").decode()
