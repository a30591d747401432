"""Wherever a stream is cut, and however the log is cut into batches, each event comes once and in order."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from longshore.client import client as clients
from longshore.gateway import event_messages, wire
from longshore.rpc import arns
from longshore.v1 import event_pb2

PLACE = arns.Place(account="123456789012", region="us-east-1")


def cursor(sequence: int) -> str:
    """The cursor after an event."""
    return f"at-{sequence}"


def batches(start: int, wanted: list[int], end: int, data: st.DataObject) -> Iterator[clients.Batch]:
    """The log after a position, in batches of any size; the first is empty, as the state-tracker's is."""
    yield clients.Batch(cursor(start), ())
    at = start
    while at < end:
        following = data.draw(st.integers(at + 1, end))
        events = tuple(
            event_pb2.Event(sequence=number, task=event_pb2.TaskEvent(task_id="t"))
            for number in wanted
            if at < number <= following
        )
        yield clients.Batch(cursor(following), events)
        at = following


@given(st.data(), st.integers(0, 40), st.integers(0, 20))
def test_nothing_is_missing_and_nothing_comes_twice(data: st.DataObject, start: int, length: int) -> None:
    end = start + length
    # Numbers that the filters let through.
    wanted = [number for number in range(start + 1, end + 1) if data.draw(st.booleans())]
    got: list[int] = []
    last_id = cursor(start)
    for _ in range(60):
        request = wire.Request("GET", "/events", "", (("last-event-id", last_id),), b"")
        position = event_messages.asked(request).position
        at = int(position.cursor.removeprefix("at-"))
        budget = data.draw(st.integers(0, 6))
        cut = False
        for batch in batches(at, wanted, end, data):
            for message in event_messages.messages(batch, position, cluster="c", place=PLACE):
                if not budget:
                    cut = True
                    break
                budget -= 1
                fields = dict(line.split(": ", 1) for line in message.decode().strip().split("\n"))
                last_id = fields["id"]
                if "data" in fields:
                    got.append(int(fields["data"].split('"sequence":')[1].split(",")[0]))
            if cut:
                break
            position = event_messages.after(batch, position)
        if not cut:
            break
    assert got == wanted[: len(got)]
    if not cut:
        assert got == wanted
