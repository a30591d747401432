import pytest

from longshore.events import cursor
from longshore.state_tracker import rings, watch_filters
from longshore.v1 import event_pb2, record_pb2, state_tracker_service_pb2


def publication(previous: int, sequence: int) -> record_pb2.Publication:
    return record_pb2.Publication(
        cluster="web",
        previous_sequence=previous,
        sequence=sequence,
        events=[event_pb2.Event(sequence=number) for number in range(previous + 1, sequence + 1)],
    )


def sequences(batches: list[rings.Batch] | None) -> list[int] | None:
    return None if batches is None else [event.sequence for batch in batches for event in batch.events]


def test_a_ring_gives_what_follows_a_position() -> None:
    ring = rings.Ring("web", 4)
    for border in (6, 7, 10):
        ring.take(publication(ring.position, border))
    assert sequences(ring.after(4, 10)) == [5, 6, 7, 8, 9, 10]
    assert sequences(ring.after(6, 10)) == [7, 8, 9, 10]
    assert sequences(ring.after(6, 1)) == [7]
    assert sequences(ring.after(10, 10)) == []
    assert sequences(ring.after(8, 10)) == [8, 9, 10]  # in the middle of a batch: the reader leaves out what it knows
    assert ring.after(3, 10) is None


def test_a_ring_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "MAX_EVENTS", 5)
    ring = rings.Ring("web", 0)
    for border in (2, 4, 6):
        ring.take(publication(ring.position, border))
    assert ring.oldest == 2
    assert ring.after(1, 10) is None
    assert sequences(ring.after(2, 10)) == [3, 4, 5, 6]
    ring.take(publication(6, 60))  # one batch above the limit is still kept whole
    assert sequences(ring.after(6, 10)) == list(range(7, 61))


def test_a_batch_is_serialised_once_with_its_cursor() -> None:
    ring = rings.Ring("web", 0)
    ring.take(publication(0, 2))
    (batch,) = ring.after(0, 1) or []
    assert batch.serialised() is batch.serialised()
    response = state_tracker_service_pb2.WatchEventsResponse.FromString(batch.serialised())
    assert cursor.decode(response.cursor, "web") == 2
    assert len(response.events) == 2


def test_rings_live_as_long_as_somebody_watches() -> None:
    held = rings.Rings()
    ring = held.open("web", 3)
    assert held.open("web", 9) is ring
    held.close("web")
    held.apply(publication(3, 4))
    assert ring.position == 4
    held.close("web")
    held.apply(publication(4, 5))
    assert ring.position == 4


def test_a_restarted_ring_tells_its_watchers() -> None:
    held = rings.Rings()
    ring = held.open("web", 3)
    held.reset("web", 8)
    assert (ring.position, ring.generation, ring.after(7, 1)) == (8, 1, None)


def task_event(**fields: object) -> event_pb2.Event:
    return event_pb2.Event(task=event_pb2.TaskEvent(**fields))  # type: ignore[arg-type]  # fields of the test


INSTANCE = event_pb2.Event(container_instance=event_pb2.ContainerInstanceEvent(container_instance_id="i"))


@pytest.mark.parametrize(
    ("wanted", "event", "passes"),
    [
        (watch_filters.Filter(), task_event(task_id="t"), True),
        (watch_filters.Filter(), INSTANCE, True),
        (watch_filters.Filter(tasks=frozenset("t")), task_event(task_id="t"), True),
        (watch_filters.Filter(tasks=frozenset("t")), task_event(task_id="u"), False),
        (watch_filters.Filter(tasks=frozenset("t")), INSTANCE, False),
        (watch_filters.Filter(instances=frozenset("i")), INSTANCE, True),
        (watch_filters.Filter(instances=frozenset("j")), INSTANCE, False),
        (watch_filters.Filter(instances=frozenset("i")), task_event(container_instance_id="i"), True),
        (watch_filters.Filter(family="a"), task_event(family="a"), True),
        (watch_filters.Filter(family="a"), task_event(family="b"), False),
        (watch_filters.Filter(family="a"), INSTANCE, False),
        (watch_filters.Filter(family="a", group="g"), task_event(family="a", group="h"), False),
        (watch_filters.Filter(started_by="ci"), task_event(started_by="ci"), True),
    ],
)
def test_filters(wanted: watch_filters.Filter, event: event_pb2.Event, passes: bool) -> None:  # noqa: FBT001 - a column of the table
    assert wanted.wants(event) is passes
    assert wanted.everything is (wanted == watch_filters.Filter())
