"""Whatever the bus loses, repeats and reorders, and however the log is paged, each event is delivered once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.events import sequencer
from longshore.v1 import event_pb2, record_pb2

MOVES = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 4)),
    st.tuples(st.just("deliver"), st.integers(0, 50)),
    st.tuples(st.just("repeat"), st.integers(0, 50)),
    st.tuples(st.just("lose"), st.integers(0, 50)),
    st.tuples(st.just("read"), st.integers(1, 5)),
)


class World:
    """A log, what is on its way through the bus, and what the consumer got."""

    def __init__(self, start: int) -> None:
        self.log = [event_pb2.Event(sequence=number) for number in range(1, start + 1)]
        self.way: list[record_pb2.Publication] = []
        self.sent: list[record_pb2.Publication] = []
        self.start = start
        self.order = sequencer.Sequencer("web", start)
        self.delivered: list[int] = []

    def move(self, kind: str, number: int) -> None:
        if kind == "commit":
            self.commit(number)
        elif kind == "read":
            self.read(number)
        elif kind == "repeat" and self.sent:
            self.order.offer(self.sent[number % len(self.sent)])
        elif self.way:
            publication = self.way.pop(number % len(self.way))
            if kind == "deliver":
                self.order.offer(publication)
        self.drain()

    def commit(self, count: int) -> None:
        previous = len(self.log)
        events = [event_pb2.Event(sequence=previous + number) for number in range(1, count + 1)]
        self.log += events
        publication = record_pb2.Publication(
            cluster="web", previous_sequence=previous, sequence=len(self.log), events=events
        )
        self.way.append(publication)
        self.sent.append(publication)

    def read(self, limit: int) -> None:
        position = self.order.position
        self.take(self.order.fill(self.log[position : position + limit]))

    def drain(self) -> None:
        while (publication := self.order.pop()) is not None:
            self.take(publication)

    def take(self, publication: record_pb2.Publication | None) -> None:
        if publication is None:
            return
        assert publication.previous_sequence == self.start + len(self.delivered)
        self.delivered += [event.sequence for event in publication.events]
        assert publication.sequence == self.delivered[-1] == self.order.position


@given(st.integers(0, 3), st.lists(MOVES, max_size=80), st.integers(1, 5))
def test_each_event_is_delivered_once_and_in_order(start: int, moves: list[tuple[str, int]], page: int) -> None:
    world = World(start)
    for kind, number in moves:
        world.move(kind, number)
        assert world.delivered == list(range(start + 1, start + 1 + len(world.delivered)))
        # Nothing that could be delivered is kept back without saying that something is missing.
        heard = world.order._known
        assert world.order.missing == (heard > world.order.position)
    for _ in range(len(world.log)):
        world.read(page)
        world.drain()
    assert world.delivered == list(range(start + 1, len(world.log) + 1))
    assert not world.order.missing
    assert world.order._held == {}
