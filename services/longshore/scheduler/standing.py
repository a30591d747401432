"""How far one scheduler is with one cluster: the transition table. Pure."""

import enum
from collections.abc import Mapping


class Standing(enum.Enum):
    """Where it stands: WARMING and WARM while another leads, the others from the takeover on."""

    WARMING = "warming"
    WARM = "warm"
    LOADING = "loading"
    LEADING = "leading"
    LEAVING = "leaving"
    OVER = "over"


class Change(enum.Enum):
    """What can happen to it."""

    VIEW_LOADED = "view_loaded"
    VIEW_LOST = "view_lost"
    ASKED_TO_LEAVE = "asked_to_leave"
    DEPOSED = "deposed"
    RELEASED = "released"


class IllegalMove(Exception):  # noqa: N818 - the name of the outcome
    """A change that the table does not know: a fault of the code that reports it."""

    def __init__(self, standing: Standing, change: Change) -> None:
        super().__init__(f"leadership that is {standing.value} cannot be {change.value}")


TABLE: Mapping[tuple[Standing, Change], Standing] = {
    # Whoever takes over begins at LOADING, with a view that only has to catch up where it was WARM.
    (Standing.WARMING, Change.VIEW_LOADED): Standing.WARM,
    (Standing.WARM, Change.VIEW_LOST): Standing.WARMING,
    (Standing.LOADING, Change.VIEW_LOADED): Standing.LEADING,
    (Standing.LEADING, Change.VIEW_LOST): Standing.LOADING,
    (Standing.LOADING, Change.DEPOSED): Standing.OVER,
    (Standing.LEADING, Change.DEPOSED): Standing.OVER,
    (Standing.LOADING, Change.RELEASED): Standing.OVER,
    (Standing.LEADING, Change.RELEASED): Standing.OVER,
    # A leader that is to leave finishes the round under way; one that has no view yet has none.
    (Standing.LEADING, Change.ASKED_TO_LEAVE): Standing.LEAVING,
    (Standing.LOADING, Change.ASKED_TO_LEAVE): Standing.LEAVING,
    (Standing.LEAVING, Change.RELEASED): Standing.OVER,
    (Standing.LEAVING, Change.DEPOSED): Standing.OVER,
}


def after(standing: Standing, change: Change) -> Standing:
    """Where it stands then. Raises IllegalMove."""
    moved = TABLE.get((standing, change))
    if moved is None:
        raise IllegalMove(standing, change)
    return moved
