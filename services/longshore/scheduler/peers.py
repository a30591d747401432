"""The scheduler processes that are alive: each has one lease of its own, however many clusters it leads. Steps of transactions.

Renewing it touches one row that no commit locks, so neither waits for the other. Time is the database's clock alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.scheduler import leadership
from longshore.storage import steps
from longshore.storage.dialect import Dialect

FORGET_AFTER_US = 60 * 1_000_000
"""A row whose lease ran out so long ago is deleted: nobody comes back under an old name."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A scheduler process, judged by the database's clock at the time of reading. `left_us`: of its lease; below 0 where that has run out."""

    holder: str
    address: str
    session: int
    leaving: bool
    left_us: int
    age_us: int

    @property
    def alive(self) -> bool:
        """Whether its lease stands."""
        return self.left_us > 0

    @property
    def forgotten(self) -> bool:
        """Whether its row may go."""
        return self.left_us < -FORGET_AFTER_US


def renew(
    dialect: Dialect, candidate: leadership.Candidate, *, session: int, leaving: bool
) -> steps.Step[Mapping[str, int]]:
    """Renew one's own lease; gives what the tables say that one leads, by cluster its epoch."""
    yield from steps.execute(
        "INSERT INTO schedulers (holder, address, started_at, expires_at, session, leaving)"  # noqa: S608 - the dialect's own
        f" VALUES ($1, $2, {dialect.now}, {dialect.now} + $3, $4, $5) ON CONFLICT (holder) DO UPDATE"
        " SET expires_at = excluded.expires_at, session = excluded.session, leaving = excluded.leaving",
        candidate.holder,
        candidate.address,
        candidate.lease_us,
        session,
        int(leaving),
    )
    return (yield from leadership.held_by(dialect, candidate.holder))


def read(dialect: Dialect) -> steps.Step[list[Peer]]:
    """Every process that is known, those whose lease has run out included, by name."""
    rows = yield from steps.fetch(
        f"SELECT holder, address, session, leaving, expires_at - {dialect.now} AS left_us, {dialect.now} - started_at AS age_us"  # noqa: S608 - the dialect's own
        " FROM schedulers ORDER BY holder"
    )
    return [
        Peer(
            row["holder"],
            row["address"],
            row["session"],
            bool(row["leaving"]),
            row["left_us"],
            row["age_us"],
        )
        for row in rows
    ]


def forget(dialect: Dialect) -> steps.Step[None]:
    """Delete the rows of processes that are long gone."""
    yield from steps.execute(
        f"DELETE FROM schedulers WHERE expires_at < {dialect.now} - $1",  # noqa: S608 - the dialect's own
        FORGET_AFTER_US,
    )
