"""The table of errors, and its way over the wire."""

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships stubs without a marker
from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import errors, status

ECS = {
    "AccessDeniedException": "PERMISSION_DENIED",
    "AttributeLimitExceededException": "RESOURCE_EXHAUSTED",
    "BlockedException": "PERMISSION_DENIED",
    "ClientException": "INVALID_ARGUMENT",
    "ClusterContainsCapacityProviderException": "FAILED_PRECONDITION",
    "ClusterContainsContainerInstancesException": "FAILED_PRECONDITION",
    "ClusterContainsServicesException": "FAILED_PRECONDITION",
    "ClusterContainsTasksException": "FAILED_PRECONDITION",
    "ClusterNotFoundException": "NOT_FOUND",
    "ConflictException": "ALREADY_EXISTS",
    "InvalidParameterException": "INVALID_ARGUMENT",
    "LimitExceededException": "RESOURCE_EXHAUSTED",
    "MissingVersionException": "FAILED_PRECONDITION",
    "NamespaceNotFoundException": "NOT_FOUND",
    "NoUpdateAvailableException": "FAILED_PRECONDITION",
    "PlatformTaskDefinitionIncompatibilityException": "FAILED_PRECONDITION",
    "PlatformUnknownException": "INVALID_ARGUMENT",
    "ResourceInUseException": "FAILED_PRECONDITION",
    "ResourceNotFoundException": "NOT_FOUND",
    "ServerException": "INTERNAL",
    "ServiceNotActiveException": "FAILED_PRECONDITION",
    "ServiceNotFoundException": "NOT_FOUND",
    "TargetNotConnectedException": "FAILED_PRECONDITION",
    "TargetNotFoundException": "NOT_FOUND",
    "TaskSetNotFoundException": "NOT_FOUND",
    "ThrottlingException": "RESOURCE_EXHAUSTED",
    "UnsupportedFeatureException": "UNIMPLEMENTED",
    "UpdateInProgressException": "FAILED_PRECONDITION",
}
OURS = {
    "Aborted": "ABORTED",
    "Cancelled": "CANCELLED",
    "DeadlineExceeded": "DEADLINE_EXCEEDED",
    "OutOfRange": "OUT_OF_RANGE",
    "ResourceExhausted": "RESOURCE_EXHAUSTED",
    "Unauthenticated": "UNAUTHENTICATED",
    "Unavailable": "UNAVAILABLE",
}

CLASSES = st.sampled_from(sorted(errors.table().values(), key=lambda known: known.reason))
KEYS = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True)


def rpc_error(sent: status_pb2.Status, *, code: grpc.StatusCode | None = None) -> grpc.aio.AioRpcError:
    codes = {known.value[0]: known for known in grpc.StatusCode}
    trailing = grpc.aio.Metadata(*status.trailers(sent))
    return grpc.aio.AioRpcError(code or codes[sent.code], trailing_metadata=trailing, details=sent.message)


def test_the_table_holds_every_ecs_exception_and_ours_with_their_codes() -> None:
    assert {reason: known.code.name for reason, known in errors.table().items()} == {**ECS, **OURS}


def test_codes_have_the_numbers_of_grpc() -> None:
    assert {code.name: code.value for code in errors.Code} == {
        code.name: code.value[0] for code in grpc.StatusCode if code.name in errors.Code.__members__
    }


@given(CLASSES, st.text(max_size=200), st.dictionaries(KEYS, st.text(max_size=40), max_size=5))
def test_an_error_comes_back_from_the_wire_as_what_it_was(
    kind: type[errors.ServiceError], message: str, metadata: dict[str, str]
) -> None:
    back = status.from_rpc_error(rpc_error(status.to_proto(kind(message, **metadata))))
    assert (type(back), back.message, back.metadata) == (kind, message, metadata)


@given(CLASSES)
def test_a_subclass_of_an_adapter_travels_as_its_base(kind: type[errors.ServiceError]) -> None:
    adapter = type("DatabaseAway", (kind,), {})
    assert type(status.from_proto(status.to_proto(adapter("down")))) is kind


def test_two_errors_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two errors are named Aborted"):
        type("Aborted", (errors.ServiceError,), {}, code=errors.Code.ABORTED)


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_a_bare_status_becomes_the_error_of_its_code(code: grpc.StatusCode) -> None:
    error = status.from_rpc_error(grpc.aio.AioRpcError(code, details="text"))
    expected = errors.Code.__members__.get(code.name, errors.Code.INTERNAL)
    if code is grpc.StatusCode.CANCELLED:
        # What a server that stops says to calls it had not begun: they may be repeated, at another.
        assert type(error) is errors.Unavailable
        return
    assert (error.code, error.message) == (expected, "text")


def test_a_lost_connection_is_unavailable() -> None:
    error = status.from_rpc_error(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, details="Socket closed"))
    assert type(error) is errors.Unavailable


def test_a_reason_of_a_newer_release_is_told_and_judged_by_its_code() -> None:
    sent = status_pb2.Status(code=9, message="no")
    sent.details.add().Pack(error_details_pb2.ErrorInfo(reason="NewException", domain="longshore", metadata={"a": "b"}))
    error = status.from_proto(sent)
    assert (type(error), str(error), error.metadata) == (errors.ResourceInUseException, "NewException: no", {"a": "b"})


def test_a_reason_of_another_domain_is_not_taken_for_ours() -> None:
    sent = status_pb2.Status(code=14, message="proxy")
    sent.details.add().Pack(error_details_pb2.ErrorInfo(reason="ClientException", domain="proxy.example"))
    assert type(status.from_proto(sent)) is errors.Unavailable


def test_details_that_contradict_the_code_or_are_no_status_are_ignored() -> None:
    lying = rpc_error(status.to_proto(errors.ClientException("a")), code=grpc.StatusCode.UNAVAILABLE)
    broken = grpc.aio.AioRpcError(
        grpc.StatusCode.ABORTED, trailing_metadata=grpc.aio.Metadata((status.DETAILS_KEY, b"\xff")), details="b"
    )
    assert type(status.from_rpc_error(lying)) is errors.Unavailable
    assert type(status.from_rpc_error(broken)) is errors.Aborted


@given(st.text(alphabet=st.sampled_from("aé漢%\n"), min_size=1, max_size=20), st.integers(min_value=1, max_value=3_000))
def test_a_long_message_is_cut_to_what_a_trailer_may_hold_and_says_so(part: str, times: int) -> None:
    message = part * times
    sent = status.to_proto(errors.ClientException(message))
    percent_encoded = sum(1 if b" " <= bytes([byte]) <= b"~" and byte != 0x25 else 3 for byte in sent.message.encode())
    assert percent_encoded <= status.MESSAGE_LIMIT
    kept, cut, rest = sent.message.rpartition(" … (")
    assert message == sent.message if not cut else message.startswith(kept)
    assert not cut or rest == f"{len(message) - len(kept)} more characters)"
    assert sent.ByteSize() * 4 / 3 + percent_encoded < 8 * 1024


def test_metadata_that_does_not_fit_is_left_out_entry_by_entry() -> None:
    sent = status.to_proto(errors.ClientException("a", small="1", large="x" * 5_000))
    assert status.from_proto(sent).metadata == {"small": "1"}


def test_text_that_protobuf_cannot_carry_is_replaced() -> None:
    back = status.from_proto(status.to_proto(errors.ClientException("bad name \ud800", name="\udfff")))
    assert (back.message, back.metadata) == ("bad name ?", {"name": "?"})


def test_metadata_values_become_text() -> None:
    assert errors.OutOfRange("pruned", oldest=17).metadata == {"oldest": "17"}


def test_a_refusal_that_passes_says_so_in_the_way_that_any_client_of_grpc_knows() -> None:
    message = status.to_proto(errors.ResourceExhausted("full", **{errors.RETRY_AFTER_MS: 1500}))
    delays = error_details_pb2.RetryInfo()
    assert [detail.Unpack(delays) for detail in message.details] == [False, True]
    assert delays.retry_delay.ToMilliseconds() == 1500
    assert status.from_proto(message).retry_after_s == 1.5
    assert errors.Unavailable("away").retry_after_s is None
