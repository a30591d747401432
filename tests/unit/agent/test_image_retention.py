from collections.abc import Collection
from dataclasses import replace

import pytest

from longshore.agent import runtime, stored
from longshore.agent.images import image_retention

HOUR = 3_600_000_000
NOW = 100 * HOUR
RULES = image_retention.Rules()


def image(name: str, **members: object) -> runtime.HostImage:
    """An image that is here under one tag."""
    return replace(runtime.HostImage(f"id of {name}", (f"{name}:1",)), **members)  # type: ignore[arg-type]  # fields of the test


def known(name: str, *, pulled_h: int = 10, used_h: int = 10, names: Collection[str] = ()) -> stored.PulledImage:
    """That it was pulled so many hours ago, and used last so many."""
    return stored.PulledImage(
        f"id of {name}", frozenset(names or {f"{name}:1"}), NOW - pulled_h * HOUR, NOW - used_h * HOUR
    )


def chosen(
    *images: runtime.HostImage,
    tracked: Collection[stored.PulledImage] = (),
    ids: Collection[str] = (),
    names: Collection[str] = (),
    rules: image_retention.Rules = RULES,
    pressed: bool = False,
) -> list[str]:
    """Ids of those that go."""
    by_id = {item.image_id: item for item in tracked}
    needed = image_retention.Needed(ids, names)
    return [found.image_id for found in image_retention.chosen(images, by_id, needed, rules, NOW, pressed=pressed)]


def test_the_least_recently_used_go_first_and_so_many_at_most() -> None:
    order = [3, 9, 5, 7, 2, 8, 4]
    images = [image(f"a{hours}") for hours in order]
    tracked = [known(f"a{hours}", used_h=hours) for hours in order]
    assert chosen(*images, tracked=tracked) == [f"id of a{hours}" for hours in (9, 8, 7, 5, 4)]
    assert len(chosen(*images, tracked=tracked, pressed=True)) == 7


def test_what_was_pulled_lately_stays_unless_the_disk_is_full() -> None:
    fresh = known("a", pulled_h=0, used_h=50)
    assert chosen(image("a"), tracked=[fresh]) == []
    assert chosen(image("a"), tracked=[fresh], pressed=True) == ["id of a"]


@pytest.mark.parametrize("pressed", [False, True])
def test_what_is_needed_stays(*, pressed: bool) -> None:
    tracked = [known("a")]
    assert chosen(image("a"), tracked=tracked, ids=["id of a"], pressed=pressed) == []
    assert chosen(image("a"), tracked=tracked, names=["docker.io/library/a:1"], pressed=pressed) == []
    by_digest = image("a", tags=(), digests=("r/a@sha256:1",))
    assert chosen(by_digest, tracked=tracked, names=["r/a@sha256:1"], pressed=pressed) == []
    assert chosen(image("a", internal=True), tracked=tracked, pressed=pressed) == []
    assert chosen(image("a"), tracked=tracked, rules=replace(RULES, excluded=frozenset({"a:1"})), pressed=pressed) == []


@pytest.mark.parametrize("pressed", [False, True])
def test_what_somebody_else_has_named_or_brought_stays(*, pressed: bool) -> None:
    assert chosen(image("a", tags=("a:1", "keep:me")), tracked=[known("a")], pressed=pressed) == []
    assert chosen(image("b"), tracked=[known("a")], pressed=pressed) == []


def test_what_has_lost_its_tag_to_a_newer_pull_goes() -> None:
    assert chosen(image("a", tags=(), digests=("a@sha256:1",)), tracked=[known("a", names=["x"])]) == ["id of a"]


def test_names_are_compared_as_the_engine_writes_them() -> None:
    pulled = known("a", names=["docker.io/library/a"])
    assert chosen(image("a", tags=("a:latest",)), tracked=[pulled]) == ["id of a"]


def test_images_of_others_go_after_ours_once_the_operator_says_so() -> None:
    rules = replace(RULES, untracked=True, untracked_min_age_s=2 * 3600.0)
    old, new = image("old", created_at=NOW - 9 * HOUR), image("new", created_at=NOW - HOUR)
    ours = known("a", used_h=5)
    assert chosen(old, new, image("a"), tracked=[ours]) == ["id of a"]
    assert chosen(old, new, image("a"), tracked=[ours], rules=rules) == ["id of a", "id of old"]
    assert chosen(old, rules=rules, ids=["id of old"]) == []
    assert chosen(old, rules=replace(rules, excluded=frozenset({"old:1"}))) == []
