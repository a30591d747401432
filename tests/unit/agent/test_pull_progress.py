from typing import Any

from longshore.agent import pull_progress

P = pull_progress.Progress


def fetching(layer: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Downloading", "id": layer, "progressDetail": {"current": current, "total": total}}


def test_layers_that_are_fetched_count_and_those_that_were_here_do_not() -> None:
    told = pull_progress.Told()
    moved = [
        told.add(line)
        for line in (
            {"status": "Pulling from tests/app", "id": "1"},
            {"status": "Already exists", "id": "old"},
            fetching("a", 10, 100),
            fetching("b", 5, 50),
            {"status": "Download complete", "id": "a"},
            {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 100}},
        )
    ]
    assert moved == [False, False, True, True, True, False]
    assert told.progress == P(105, 150, 2)
    assert not told.complete


def test_the_digest_and_the_end_are_heard() -> None:
    told = pull_progress.Told()
    told.add({"status": "Digest: sha256:1"})
    assert (told.digest, told.complete) == ("sha256:1", False)
    told.add({"status": "Status: Image is up to date for app:1"})
    assert told.complete


def test_a_pull_is_told_of_after_a_second_and_then_ever_more_seldom() -> None:
    pace = pull_progress.Pace(100.0)
    told = [tenth / 10 for tenth in range(1000, 2000) if pace.due(tenth / 10)]
    assert told[:3] == [101.0, 102.5, 104.0]
    assert told[-1] - told[-2] >= 1.5
    hours = pull_progress.Pace(0.0)
    assert sum(hours.due(float(second)) for second in range(2 * 3600)) < 400


def test_a_pull_that_begins_again_does_not_go_back() -> None:
    assert pull_progress.forward(P(80, 100, 2), P(10, 50, 1)) == P(80, 100, 2)
    assert pull_progress.forward(P(80, 100, 2), P(90, 150, 3)) == P(90, 150, 3)
