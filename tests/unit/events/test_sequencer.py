import pytest

from longshore.events import sequencer
from longshore.v1 import event_pb2, record_pb2


def events(*sequences: int) -> list[event_pb2.Event]:
    return [event_pb2.Event(sequence=sequence) for sequence in sequences]


def publication(previous: int, sequence: int, *, whole: bool = True) -> record_pb2.Publication:
    return record_pb2.Publication(
        cluster="web",
        previous_sequence=previous,
        sequence=sequence,
        events=events(*range(previous + 1, sequence + 1)) if whole else [],
        assignments=[record_pb2.PublishedAssignment(container_instance_id="i")],
    )


def span(found: record_pb2.Publication | None) -> tuple[int, int, int] | None:
    return None if found is None else (found.previous_sequence, found.sequence, len(found.assignments))


def test_the_next_in_order_is_delivered_with_its_assignments() -> None:
    order = sequencer.Sequencer("web", 4)
    order.offer(publication(4, 6))
    assert span(order.pop()) == (4, 6, 1)
    assert (order.position, order.pop(), order.missing) == (6, None, False)


def test_one_that_came_too_early_waits_for_the_gap_to_close() -> None:
    order = sequencer.Sequencer("web", 0)
    order.offer(publication(2, 3))
    assert (order.pop(), order.missing, order.missing_until) == (None, True, 2)
    order.offer(publication(0, 2))
    assert [span(order.pop()), span(order.pop()), order.pop()] == [(0, 2, 1), (2, 3, 1), None]


def test_the_log_fills_a_gap_no_further_than_to_what_is_held() -> None:
    order = sequencer.Sequencer("web", 0)
    order.offer(publication(2, 3))
    assert span(order.fill(events(1, 2, 3, 4))) == (0, 2, 0)
    assert span(order.pop()) == (2, 3, 1)


def test_what_was_delivered_is_dropped() -> None:
    order = sequencer.Sequencer("web", 5)
    order.offer(publication(3, 5))
    assert (order.pop(), order.missing) == (None, False)


def test_one_that_was_delivered_in_part_is_taken_from_the_log() -> None:
    order = sequencer.Sequencer("web", 4)
    order.offer(publication(3, 6))
    assert (order.pop(), order.missing, order.missing_until) == (None, True, None)
    assert span(order.fill(events(5, 6))) == (4, 6, 0)


def test_one_without_all_of_its_events_only_says_how_far_the_log_goes() -> None:
    order = sequencer.Sequencer("web", 0)
    order.offer(publication(0, 2, whole=False))
    assert (order.pop(), order.missing) == (None, True)


def test_what_is_held_is_bounded() -> None:
    order = sequencer.Sequencer("web", 0)
    for number in range(1, sequencer.MAX_HELD + 50):
        order.offer(publication(number, number + 1))
    assert len(order._held) == sequencer.MAX_HELD
    assert order.missing


@pytest.mark.parametrize("sequences", [(2, 3), (1, 3), (1, 1)])
def test_a_gap_in_the_log_itself_is_an_error(sequences: tuple[int, ...]) -> None:
    with pytest.raises(sequencer.LogGapError, match="web does not go on from 0"):
        sequencer.Sequencer("web", 0).fill(events(*sequences))


def test_a_log_without_news_fills_nothing() -> None:
    assert sequencer.Sequencer("web", 3).fill([]) is None
