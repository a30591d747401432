"""Requests in and refusals out, as ECS's JSON 1.1 protocol has them."""

import json
from collections.abc import Mapping

import pytest
from botocore import session

from longshore.gateway import refusals, wire
from longshore.rpc import codec, errors


def request(headers: Mapping[str, str] | None = None, *more: tuple[str, str]) -> wire.Request:
    usual = {"x-amz-target": f"{wire.PREFIX}ListTasks", "content-type": wire.MEDIA_TYPE}
    pairs = tuple(pair for pair in (usual | dict(headers or {})).items() if pair[1])
    return wire.Request("POST", "/", "", (*pairs, *more), b"{}")


def test_a_target_names_its_operation() -> None:
    assert wire.operation_of(request()) == "ListTasks"


@pytest.mark.parametrize(
    "target", ["", "ListTasks", "amazonec2containerservicev20141113.ListTasks", "X" * 10_000, "\xff\x00"]
)
def test_any_other_target_is_an_unknown_operation_and_is_quoted_short(target: str) -> None:
    with pytest.raises(refusals.UnknownOperationException) as caught:
        wire.operation_of(request({"x-amz-target": target}))
    assert len(caught.value.message) < 200
    assert caught.value.message.isascii()


def test_a_target_given_twice_names_nothing() -> None:
    twice = request({}, ("x-amz-target", f"{wire.PREFIX}StopTask"))
    assert wire.operation_of(twice) not in {"ListTasks", "StopTask"}


@pytest.mark.parametrize(
    "content_type",
    ["application/x-amz-json-1.1", "APPLICATION/X-AMZ-JSON-1.1", "application/x-amz-json-1.1 ; charset=x"],
)
def test_the_media_type_is_taken_with_parameters_and_in_any_case(content_type: str) -> None:
    wire.check_content(request({"content-type": content_type}))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"content-type": ""}, "missing"),
        ({"content-type": "application/json"}, "'application/json'"),
        ({"content-type": "application/x-amz-json-1.0"}, "'application/x-amz-json-1.0'"),
        ({"content-type": "application/x-amz-json-1.1, text/plain"}, "text/plain"),
        ({"content-encoding": "gzip"}, "'gzip'"),
        ({"content-encoding": "identity, gzip"}, "gzip"),
    ],
)
def test_any_other_content_is_refused_and_never_guessed_at(headers: dict[str, str], said: str) -> None:
    with pytest.raises(refusals.UnsupportedMediaTypeException) as caught:
        wire.check_content(request(headers))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("value", "wanted"), [("true", True), (" True ", True), ("false", False), ("1", False), ("", False)]
)
def test_extensions_are_asked_for_by_name(value: str, *, wanted: bool) -> None:
    assert request({wire.EXTENSIONS: value}).wants_extensions is wanted


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (errors.ClusterNotFoundException("Cluster not found."), 400, "ClusterNotFoundException"),
        (errors.AccessDeniedException("no"), 400, "AccessDeniedException"),
        (errors.LimitExceededException("no"), 400, "LimitExceededException"),
        (errors.ServerException("no"), 500, "ServerException"),
        (errors.Unavailable("no"), 503, "ServiceUnavailableException"),
        (errors.Aborted("no"), 503, "ServiceUnavailableException"),
        (errors.DeadlineExceeded("no"), 503, "ServiceUnavailableException"),
        (errors.Cancelled("no"), 503, "ServiceUnavailableException"),
        (errors.ResourceExhausted("no"), 400, "ThrottlingException"),
        (errors.ThrottlingException("no"), 400, "ThrottlingException"),
        (errors.OutOfRange("no"), 400, "InvalidParameterException"),
        (errors.Unauthenticated("no"), 400, "AccessDeniedException"),
        (codec.CodecError([codec.Fault("a", "b")]), 400, "SerializationException"),
        (refusals.RequestEntityTooLargeException("no"), 413, "RequestEntityTooLargeException"),
        (refusals.ForeignOriginException("no"), 403, "AccessDeniedException"),
    ],
)
def test_an_error_leaves_with_the_status_and_the_name_that_ecs_clients_know(
    error: errors.ServiceError, status: int, name: str
) -> None:
    assert wire.outcome_of(error) == (status, name)


def test_no_reason_of_the_services_leaves_under_a_name_that_ecs_does_not_have() -> None:
    model = session.get_session().get_service_model("ecs")
    ecs = {shape.name for shape in model.error_shapes} | {"ThrottlingException", "ServiceUnavailableException"}
    left = {wire.outcome_of(kind("x"))[1] for kind in errors.table().values()}
    # Exceptions that any AWS service answers, and the models of services leave out.
    assert left - ecs == set()


def test_a_refusal_is_the_name_and_the_message_as_it_was_made() -> None:
    answer = wire.refused(errors.ClientException('Family "é" \ud800 is\nnot known.'), "an-id")
    assert answer.status == 400
    assert json.loads(answer.body) == {"__type": "ClientException", "message": 'Family "é" ? is\nnot known.'}
    assert dict(answer.headers()) == {
        b"content-type": b"application/x-amz-json-1.1",
        b"content-length": str(len(answer.body)).encode(),
        b"x-amzn-requestid": b"an-id",
    }
