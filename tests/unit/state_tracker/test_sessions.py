import pytest

from longshore.rpc import errors
from longshore.state_tracker import sessions
from longshore.v1 import agent_service_pb2


def session(revision: int = 3) -> sessions.Session:
    return sessions.Session(instance_id="i", process_id="p", epoch=1, instance_version=1, assignment_revision=revision)


def payload(base: int, revision: int) -> bytes:
    made = agent_service_pb2.Assignment(base_revision=base, revision=revision)
    return agent_service_pb2.SessionResponse(assignments=[made]).SerializeToString()


def published(base: int, revision: int) -> sessions.Published:
    return sessions.Published(base, revision, payload(base, revision))


def sent(of: sessions.Session) -> list[tuple[int, int]]:
    """Bases and revisions of the next message; empty where there is none."""
    raw = of.outgoing()
    message = agent_service_pb2.SessionResponse.FromString(raw or b"")
    return [(one.base_revision, one.revision) for one in message.assignments]


def lacks(of: sessions.Session) -> bool:
    """Whether the tables should be read now."""
    return of.needs_reading


def claimed(of: sessions.Session) -> tuple[int, int | None]:
    return of.tip, of.claim


def streaming(revision: int = 3) -> sessions.Session:
    made = session(revision)
    made.read(sessions.Read(revision, b""))
    return made


def test_a_session_begins_by_reading_the_tables() -> None:
    made = session()
    assert lacks(made)
    made.read(sessions.Read(5, payload(3, 5)))
    assert not lacks(made)
    assert sent(made) == [(3, 5)]


def test_what_was_published_during_the_reading_follows_it_without_repetition() -> None:
    made = session()
    made.offer(published(3, 4))
    made.offer(published(4, 5))
    made.offer(published(5, 6))
    made.read(sessions.Read(5, payload(3, 5)))
    assert sent(made) == [(3, 5), (5, 6)]


def test_one_message_is_unacknowledged_and_the_rest_gathers() -> None:
    made = streaming()
    made.offer(published(3, 4))
    assert sent(made) == [(3, 4)]
    made.offer(published(4, 5))
    made.offer(published(5, 6))
    assert sent(made) == []
    made.acknowledge(3)  # older than what is under way
    assert sent(made) == []
    made.acknowledge(4)
    assert sent(made) == [(4, 5), (5, 6)]


def test_a_doubled_or_late_publication_is_dropped() -> None:
    made = streaming()
    for _ in range(2):
        made.offer(published(3, 4))
    made.offer(published(2, 3))
    assert sent(made) == [(3, 4)]


def test_a_gap_leads_back_to_the_tables_once_nothing_is_under_way() -> None:
    made = streaming()
    made.offer(published(3, 4))
    assert sent(made) == [(3, 4)]
    made.offer(published(5, 6))
    assert not lacks(made)
    made.acknowledge(4)
    assert lacks(made)
    assert made.tip == 4
    made.read(sessions.Read(6, payload(4, 6)))
    assert sent(made) == [(4, 6)]


def test_something_missed_during_the_reading_is_read_again() -> None:
    made = session()
    made.fall_behind()
    made.read(sessions.Read(4, payload(3, 4)))
    assert sent(made) == [(3, 4)]
    made.acknowledge(4)
    assert lacks(made)
    made.read(sessions.Read(4, b""))
    assert made.phase is sessions.Phase.STREAMING


def test_a_page_is_followed_by_the_next() -> None:
    made = session()
    made.read(sessions.Read(5, payload(3, 5), more=True))
    assert sent(made) == [(3, 5)]
    made.acknowledge(5)
    assert lacks(made)
    assert made.tip == 5


def test_too_much_gathered_is_forgotten_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "GATHER_LIMIT_BYTES", 10)
    made = streaming()
    made.offer(published(3, 4))
    assert sent(made) == [(3, 4)]
    for revision in range(4, 9):
        made.offer(published(revision, revision + 1))
    made.acknowledge(4)
    assert sent(made) == []
    assert lacks(made)
    assert made.tip == 4


def test_too_much_kept_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEEP_LIMIT", 2)
    made = session()
    for revision in range(3, 8):
        made.offer(published(revision, revision + 1))
    made.read(sessions.Read(3, b""))
    assert lacks(made)


def test_a_full_set_may_lead_to_a_lower_revision_than_the_agents() -> None:
    made = session(revision=50)
    made.read(sessions.Read(4, payload(0, 4)))
    assert sent(made) == [(0, 4)]
    made.acknowledge(4)
    made.offer(published(4, 5))
    assert sent(made) == [(4, 5)]


def test_acknowledgements_of_reports_do_not_wait_and_join_an_assignment() -> None:
    made = streaming()
    made.report(agent_service_pb2.Report(number=1))
    made.offer(published(3, 4))
    made.recorded(1)
    message = agent_service_pb2.SessionResponse.FromString(made.outgoing() or b"")
    assert (len(message.assignments), message.report_ack.number) == (1, 1)
    made.report(agent_service_pb2.Report(number=2))
    made.recorded(2)
    message = agent_service_pb2.SessionResponse.FromString(made.outgoing() or b"")
    assert (len(message.assignments), message.report_ack.number) == (0, 2)
    assert made.outgoing() is None


def test_a_second_report_before_the_acknowledgement_breaks_the_protocol() -> None:
    made = streaming()
    made.report(agent_service_pb2.Report(number=1))
    with pytest.raises(errors.InvalidParameterException, match="before report 1"):
        made.report(agent_service_pb2.Report(number=2))


def test_the_first_end_counts_and_nothing_more_is_taken() -> None:
    made = streaming()
    made.offer(published(3, 4))
    first = errors.Unavailable("first")
    made.end(first)
    made.end(errors.Aborted("second"))
    made.offer(published(4, 5))
    made.read(sessions.Read(9, payload(3, 9)))
    assert made.error is first
    assert made.outgoing() is None
    assert not lacks(made)


def test_a_stream_order_goes_out_at_once_also_behind_what_is_unacknowledged() -> None:
    made = streaming()
    made.offer(published(3, 4))
    assert sent(made) == [(3, 4)]
    order = agent_service_pb2.StreamOrder(stream_id="s")
    made.order(agent_service_pb2.SessionResponse(stream_orders=[order]).SerializeToString())
    assert agent_service_pb2.SessionResponse.FromString(made.outgoing() or b"").stream_orders[0].stream_id == "s"
    assert made.outgoing() is None


def test_many_orders_go_out_in_messages_that_an_agent_takes() -> None:
    made = streaming()
    for number in range(100):
        order = agent_service_pb2.StreamOrder(
            stream_id=f"{number}", logs=agent_service_pb2.LogSource(cursor="x" * 16_000)
        )
        made.order(agent_service_pb2.SessionResponse(stream_orders=[order]).SerializeToString())
    found = []
    while (message := made.outgoing()) is not None:
        assert len(message) < sessions.ORDERS_LIMIT_BYTES
        found += [order.stream_id for order in agent_service_pb2.SessionResponse.FromString(message).stream_orders]
    assert found == [f"{number}" for number in range(100)]


def test_what_the_agent_claims_is_doubted_until_something_was_sent_or_nothing_had_to_be() -> None:
    made = sessions.Session(
        instance_id="i", process_id="p", epoch=1, instance_version=1, assignment_revision=9, assignment_lineage=77
    )
    assert claimed(made) == (9, 77)
    made.read(sessions.Read(4, payload(0, 4)))
    assert claimed(made) == (4, 77)  # gathered, and could still be forgotten
    assert sent(made) == [(0, 4)]
    assert claimed(made) == (4, None)
    current = sessions.Session(
        instance_id="i", process_id="p", epoch=1, instance_version=1, assignment_revision=9, assignment_lineage=77
    )
    current.read(sessions.Read(9, b""))
    assert claimed(current) == (9, None)


def test_a_full_set_that_was_forgotten_before_it_was_sent_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "GATHER_LIMIT_BYTES", 1)
    made = sessions.Session(
        instance_id="i", process_id="p", epoch=1, instance_version=1, assignment_revision=9, assignment_lineage=77
    )
    made.offer(published(4, 5))
    made.read(sessions.Read(4, payload(0, 4)))
    assert lacks(made)
    assert claimed(made) == (9, 77)
