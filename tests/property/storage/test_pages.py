"""Page tokens: whatever comes in is either one of ours or an InvalidParameterException."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import errors
from longshore.storage import pages
from longshore.v1 import state_tracker_service_pb2

Tasks = state_tracker_service_pb2.ListTasksRequest


# No column holds a NUL, so none is in a key: a token that says otherwise is not ours.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(TEXT, min_size=2, max_size=3))
def test_a_key_of_any_text_comes_back(key: list[str]) -> None:
    _, token = pages.of(Tasks(max_results=1), keys=len(key)).cut([key, key], lambda row: row)
    assert pages.of(Tasks(next_token=token), keys=len(key)).after == tuple(key)


@given(st.text(min_size=1))
def test_any_text_is_refused_or_read(token: str) -> None:
    with contextlib.suppress(errors.InvalidParameterException):
        pages.of(Tasks(next_token=token))


@given(st.binary(), st.integers(min_value=0), st.binary(min_size=1, max_size=4))
def test_a_damaged_token_is_refused_or_read(noise: bytes, place: int, extra: bytes) -> None:
    _, token = pages.of(Tasks(max_results=1)).cut(["key" + noise.hex(), ""], lambda row: (row,))
    place %= len(token)
    damaged = token[:place] + extra.hex() + token[place + 1 :]
    with contextlib.suppress(errors.InvalidParameterException):
        pages.of(Tasks(next_token=damaged))


@given(st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=60), st.integers(1, 7))
def test_rows_that_stay_are_listed_once_whatever_comes_and_goes_between_pages(
    changes: list[tuple[int, bool]], size: int
) -> None:
    always = {f"{number:03}" for number in range(0, 100, 3)}
    rows, seen, token = set(always), list[str](), ""
    pending = list(changes)
    while True:
        page = pages.of(Tasks(max_results=size, next_token=token))
        after = page.after[0] if page.after else ""
        found = sorted(row for row in rows if row > after)[: page.fetch]
        kept, token = page.cut(found, lambda row: (row,))
        seen += kept
        if not token:
            break
        for number, present in pending[:2]:
            (rows.add if present else rows.discard)(f"{number:03}")
        rows |= always
        del pending[:2]
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert always <= set(seen)
