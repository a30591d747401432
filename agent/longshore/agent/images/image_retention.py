"""Which images are to go, and in which order: those that nobody has used for longest come first. Pure.

| image | goes |
|---|---|
| used by a container of this host, ours or not, or by a task that is here | never |
| of a name that a task waits for | never |
| labelled `com.longshore.internal`, or excluded by name | never |
| pulled by this agent | some time after its pull; sooner when the disk is full |
| with a name that this agent did not pull it under: somebody else wants it | never |
| not pulled by this agent | never, unless the operator says so; then some time after it was made |
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from longshore.agent import pulls, runtime, stored

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may set (ecs.md 6.1)."""

    interval_s: float = 1800.0
    min_age_s: float = 3600.0
    """Age of a pull before which its image stays."""
    per_cycle: int = 5
    untracked: bool = False
    """Whether images that this agent did not pull go as well."""
    untracked_min_age_s: float = 3600.0
    excluded: frozenset[str] = frozenset()
    """Names of images that stay."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What tasks and containers use."""

    image_ids: Collection[str]
    names: Collection[str]
    """Names that tasks wait for, as their definitions have them."""


def chosen(
    images: Iterable[runtime.HostImage],
    tracked: Mapping[str, stored.PulledImage],
    needed: Needed,
    rules: Rules,
    now: int,
    *,
    pressed: bool,
) -> tuple[runtime.HostImage, ...]:
    """Images that may go, in the order in which they should. `pressed`: the disk is full, so that no age is waited for."""
    kept = {pulls.familiar(name) for name in (*needed.names, *rules.excluded)}
    ours: list[tuple[int, str, runtime.HostImage]] = []
    others: list[tuple[int, str, runtime.HostImage]] = []
    for image in images:
        if image.image_id in needed.image_ids or image.internal or not kept.isdisjoint((*image.tags, *image.digests)):
            continue
        known = tracked.get(image.image_id)
        if known is None:
            if rules.untracked and _is_old(image.created_at, rules.untracked_min_age_s, now):
                others.append((image.created_at, image.image_id, image))
        elif _is_all_ours(image, known) and (pressed or _is_old(known.pulled_at, rules.min_age_s, now)):
            ours.append((known.last_used_at, image.image_id, image))
    order = [*sorted(ours, key=lambda item: item[:2]), *sorted(others, key=lambda item: item[:2])]
    found = tuple(image for _, _, image in order)
    return found if pressed else found[: rules.per_cycle]


def _is_all_ours(image: runtime.HostImage, known: stored.PulledImage) -> bool:
    return set(image.tags) <= {pulls.familiar(name) for name in known.names}


def _is_old(since: int, age_s: float, now: int) -> bool:
    return now - since >= age_s * _MICROSECONDS
