"""The order of a cluster's publications: pure bookkeeping of what was delivered, what waits for a gap, and what is missing.

Publications of different components overtake each other on their way, by a millisecond or so. One that came too early is held until
the gap before it closes, so that it keeps its assignments; the log fills only what never comes.
"""

from collections.abc import Sequence

from longshore.v1 import event_pb2, record_pb2

# Publications that wait for a gap to close. More than this means that one was lost, not that it is late.
MAX_HELD = 256


class LogGapError(Exception):
    """The log itself has a gap, which its writers make impossible: the database is damaged."""


class Sequencer:
    """Turns publications in any order, with losses and repetitions, and parts of the log into one gapless order."""

    def __init__(self, cluster: str, position: int) -> None:
        self.cluster = cluster
        self.position = position
        """Sequence of the last event that was delivered."""
        self._known = position
        self._held: dict[int, record_pb2.Publication] = {}

    @property
    def missing(self) -> bool:
        """Whether events are known to exist between the position and what is held or was heard of."""
        return self._known > self.position and self.position not in self._held

    @property
    def missing_until(self) -> int | None:
        """Where what is held goes on: the log need not be read beyond. None: nothing is held."""
        return min(self._held, default=None)

    def hear_of(self, sequence: int) -> None:
        """Note that the log reaches at least to `sequence`."""
        self._known = max(self._known, sequence)

    def offer(self, publication: record_pb2.Publication) -> None:
        """Take in what the bus brought. What is old is dropped; what does not fit counts only as news of the log's length."""
        self.hear_of(publication.sequence)
        whole = len(publication.events) == publication.sequence - publication.previous_sequence > 0
        if whole and publication.previous_sequence >= self.position and len(self._held) < MAX_HELD:
            self._held[publication.previous_sequence] = publication

    def pop(self) -> record_pb2.Publication | None:
        """The publication that is next in order, where it is held. It counts as delivered."""
        publication = self._held.pop(self.position, None)
        if publication is not None:
            self._advance(publication.sequence)
        return publication

    def fill(self, events: Sequence[event_pb2.Event]) -> record_pb2.Publication | None:
        """Take in what the log holds after the position; gives it as a publication that counts as delivered."""
        until = self.missing_until
        wanted = [event for event in events if until is None or event.sequence <= until]
        if not wanted:
            return None
        previous = self.position
        if [event.sequence for event in wanted] != list(range(previous + 1, previous + len(wanted) + 1)):
            raise LogGapError(
                f"the log of cluster {self.cluster} does not go on from {previous}: {wanted[0].sequence}…"
            )
        self._advance(previous + len(wanted))
        return record_pb2.Publication(
            cluster=self.cluster, previous_sequence=previous, sequence=self.position, events=wanted
        )

    def _advance(self, sequence: int) -> None:
        self.position = sequence
        self.hear_of(sequence)
        for old in [previous for previous in self._held if previous < sequence]:
            del self._held[old]
