"""Which revisions of an agent are moments of what is stored."""

import pytest

from longshore.state_tracker.assignment_tables import Newest, Wanted

# Revisions 1 to 4 were written by one scheduler process or several, the last of which was 70; 5 to 9 by 71.
STORED = Newest(revision=9, lineage=71, base=4, former=70)


@pytest.mark.parametrize(
    ("after", "lineage", "known"),
    [
        (9, 71, True),
        (5, 71, True),
        (10, 71, False),
        (4, 70, True),
        (2, 70, True),
        (5, 70, False),
        (9, 70, False),
        (9, 69, False),
        (3, 69, False),
        (9, 0, True),
        (10, 0, False),
        (9, None, True),
        (10, None, False),
    ],
)
def test_a_revision_is_known_in_its_own_line_only(after: int, lineage: int | None, *, known: bool) -> None:
    assert STORED.knows(Wanted("i", after, lineage)) is known


def test_a_page_that_ends_in_the_former_line_says_so() -> None:
    assert [STORED.lineage_of(revision) for revision in (3, 4, 5, 9)] == [70, 70, 71, 71]


def test_rows_of_a_release_that_knew_no_lineage_know_an_agent_that_knows_none() -> None:
    old = Newest(revision=9, lineage=0, base=0, former=0)
    assert old.knows(Wanted("i", 9, 0))
    assert not old.knows(Wanted("i", 9, 71))  # from after an upgrade, before which the back-up was made
