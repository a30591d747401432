import pytest

from longshore.scheduler import standing
from longshore.scheduler.standing import Change, Standing


def test_a_view_is_loaded_lost_and_loaded_again_until_leadership_ends() -> None:
    changes = [Change.VIEW_LOADED, Change.VIEW_LOST, Change.VIEW_LOADED, Change.DEPOSED]
    passed = [Standing.LOADING]
    for change in changes:
        passed.append(standing.after(passed[-1], change))
    assert passed == [Standing.LOADING, Standing.LEADING, Standing.LOADING, Standing.LEADING, Standing.OVER]


@pytest.mark.parametrize("change", list(Change))
def test_what_is_over_stays_over(change: Change) -> None:
    with pytest.raises(standing.IllegalMove, match="leadership that is over cannot be"):
        standing.after(Standing.OVER, change)


def test_it_can_end_from_everywhere_else() -> None:
    for before in (Standing.LOADING, Standing.LEADING, Standing.LEAVING):
        assert {standing.after(before, end) for end in (Change.DEPOSED, Change.RELEASED)} == {Standing.OVER}


@pytest.mark.parametrize("before", [Standing.LOADING, Standing.LEADING])
def test_one_that_is_to_leave_takes_no_new_view(before: Standing) -> None:
    leaving = standing.after(before, Change.ASKED_TO_LEAVE)
    assert leaving is Standing.LEAVING
    for change in (Change.VIEW_LOADED, Change.VIEW_LOST, Change.ASKED_TO_LEAVE):
        with pytest.raises(standing.IllegalMove):
            standing.after(leaving, change)
