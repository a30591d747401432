"""How many agents come in at the same time, and when the others are to come again. Pure: times are passed in, in seconds.

Whoever finds the door full is given a moment of their own, one after the other at the pace at which sessions open now, so that ten thousand
agents that come at once are a queue of appointments and not ten thousand streams that wait.
"""

# The pace before anything was measured, and its least: agents are never told to come again in an hour.
FIRST_PER_S = 500.0
LEAST_PER_S = 20.0
# The pace is measured over so long; the last measure counts as much as all before it.
MEASURE_S = 1.0
# Bounds of what an agent is told. The longest is near an agent's own longest pause, so that an appointment loses nothing.
SHORTEST_WAIT_S = 0.1
LONGEST_WAIT_S = 15.0


class Admission:
    """The door: at most `limit` inside, appointments for the rest."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.inside = 0
        self._per_s = FIRST_PER_S
        self._next = 0.0
        self._measured_from: float | None = None
        self._opened = 0

    def enter(self, now: float) -> float:
        """Come in, and 0.0; or the seconds after which to come again."""
        if self.inside < self.limit:
            self.inside += 1
            return 0.0
        if self._measured_from is None:
            self._measured_from, self._opened = now, 0
        # Not before those inside are through.
        self._next = max(self._next, now + self.inside / self._per_s)
        wait_s = self._next - now
        if wait_s < LONGEST_WAIT_S:
            self._next += 1.0 / self._per_s
        return min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)

    def leave(self, now: float) -> None:
        """One who came in is through, or has given up."""
        self.inside -= 1
        self._opened += 1
        if self._measured_from is not None and now - self._measured_from >= MEASURE_S:
            per_s = self._opened / (now - self._measured_from)
            self._per_s = max(LEAST_PER_S, (self._per_s + per_s) / 2)
            # Only a full door shows the pace: with nobody outside it is that of the arrivals.
            self._measured_from = None
