import base64

import pytest

from longshore.rpc import errors
from longshore.storage import pages
from longshore.v1 import record_pb2, registry_service_pb2, state_tracker_service_pb2

Tasks = state_tracker_service_pb2.ListTasksRequest
ROWS = [f"{number:03}" for number in range(250)]


def read(request: Tasks) -> tuple[list[str], str]:
    page = pages.of(request)
    after = page.after[0] if page.after else ""
    rows = [row for row in ROWS if row > after][: page.fetch]
    return page.cut(rows, lambda row: (row,))


def test_pages_go_through_all_rows_once_and_the_last_has_no_token() -> None:
    seen: list[str] = []
    sizes: list[int] = []
    token = ""
    while True:
        rows, token = read(Tasks(cluster="web", next_token=token))
        seen += rows
        sizes.append(len(rows))
        if not token:
            break
    assert seen == ROWS
    assert sizes == [100, 100, 50]


def test_a_page_that_ends_with_the_last_row_is_the_last() -> None:
    page = pages.of(Tasks(max_results=3))
    assert page.cut(ROWS[:3], lambda row: (row,)) == (ROWS[:3], "")
    rows, token = page.cut(ROWS[:4], lambda row: (row,))
    assert (rows, bool(token)) == (ROWS[:3], True)


@pytest.mark.parametrize("number", [-1, 0, 101, 2**31 - 1])
def test_results_outside_one_to_a_hundred_are_refused(number: int) -> None:
    with pytest.raises(errors.InvalidParameterException, match=f"maxResults is {number}; it must be between 1 and 100"):
        pages.of(Tasks(max_results=number))


@pytest.mark.parametrize(("number", "limit"), [(None, 100), (1, 1), (100, 100)])
def test_results_default_to_a_hundred(number: int | None, limit: int) -> None:
    assert pages.of(Tasks(max_results=number)).limit == limit


def test_a_token_is_text_that_a_url_can_hold() -> None:
    _, token = pages.of(Tasks(max_results=1)).cut(["\xff?>", "b"], lambda row: (row,))
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_may_go_with_another_page_size() -> None:
    _, token = read(Tasks(cluster="web", max_results=10))
    assert pages.of(Tasks(cluster="web", max_results=20, next_token=token)).after == ("009",)


def test_a_token_of_a_request_with_other_filters_is_refused() -> None:
    _, token = read(Tasks(cluster="web", family="a"))
    with pytest.raises(errors.InvalidParameterException, match="other parameters"):
        pages.of(Tasks(cluster="web", family="b", next_token=token))


def test_a_token_of_another_operation_is_refused() -> None:
    _, token = read(Tasks())
    with pytest.raises(errors.InvalidParameterException, match="not one that ListClusters returned"):
        pages.of(registry_service_pb2.ListClustersRequest(next_token=token))


def test_a_token_with_another_number_of_keys_is_refused() -> None:
    _, token = read(Tasks())
    with pytest.raises(errors.InvalidParameterException):
        pages.of(Tasks(next_token=token), keys=2)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!!!!",
        "ä",
        "a" * 5_000,
        base64.b64encode(b"\xff\xff").decode(),
        base64.b64encode(record_pb2.PageToken().SerializeToString()).decode() + "AAAA",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
        pages.of(Tasks(next_token=token))
