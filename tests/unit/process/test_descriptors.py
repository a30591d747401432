"""How far the limit of open files is raised."""

import resource

import pytest

from longshore.process import descriptors

ANY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 524_288, 2512),
        (1024, ANY, 2512),
        (1024, 2000, 2000),
        (4096, 524_288, 4096),
        (ANY, ANY, ANY),
    ],
    ids=["usual", "unlimited", "too low", "enough", "no limit"],
)
def test_it_is_raised_as_far_as_is_needed_and_allowed(soft: int, hard: int, raised: int) -> None:
    assert descriptors.raised(soft, hard, 2512) == raised
