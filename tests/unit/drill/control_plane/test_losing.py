"""Messages are lost on their way to Redis without anybody noticing: commands stay whole, in order, and of their length."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.drill.control_plane import losing

words = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


def encoded(command: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in command)


@given(st.lists(words, max_size=8), st.data())
def test_what_is_not_lost_goes_on_as_it_came_however_it_is_cut(
    commands: list[list[bytes]], data: st.DataObject
) -> None:
    sent = b"".join(map(encoded, commands))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    loser = losing.Loser(lambda: False)
    passed = b"".join(loser(sent[start:end]) for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True))
    assert passed == sent


def test_a_lost_publication_goes_where_nobody_hears_it_and_nothing_else_changes() -> None:
    published = encoded([b"PUBLISH", b"longshore/0/events/default", b"default payload"])
    asked = encoded([b"PING"])
    passed = losing.Loser(lambda: True)(asked + published + asked)
    assert passed == asked + encoded([b"PUBLISH", b"\0" * 26, b"default payload"]) + asked
