"""Numbered lines, however they are cut into pieces: what is missing and what comes twice is told."""

import pytest

from longshore.drill.agent import lines


def heard(*pieces: bytes) -> lines.Lines:
    made = lines.Lines()
    for piece in pieces:
        made.take(piece)
    return made


@pytest.mark.parametrize("cut", range(1, 20))
def test_pieces_may_end_anywhere(cut: int) -> None:
    whole = b"line 1\nline 2\nline 3\n"
    made = heard(whole[:cut], whole[cut:])
    assert (made.read, made.missing, made.repeated) == (3, [], [])


def test_a_gap_is_told_and_what_comes_after_it_goes_on() -> None:
    made = heard(b"line 1\nline 4\nline 5\n")
    assert (made.read, made.missing, made.repeated) == (5, ["4 after 1"], [])


def test_a_repetition_is_told() -> None:
    made = heard(b"line 1\nline 2\nline 2\nline 3\n")
    assert (made.read, made.missing, made.repeated) == (3, [], ["'line 2' after 2"])


def test_what_is_no_such_line_is_told() -> None:
    assert heard(b"line 1\nlineline 2\n").repeated == ["'lineline 2' after 1"]
