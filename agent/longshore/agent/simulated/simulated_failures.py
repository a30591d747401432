"""A script of failures of simulated hosts: what happens when, to how many of them, for how long. Pure."""

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What may happen to a host."""

    CRASH = "crash"
    """It goes down with its containers; with `for` it comes back and its agent goes on from what it had written down."""
    SLOW = "slow"
    """Its engine takes `factor` times as long for everything."""
    FLAP = "flap"
    """Its connection breaks every `every` seconds."""
    WRONG_CLOCK = "wrong-clock"
    """Its clock is `offset` seconds off."""
    SILENT = "silent"
    """Nothing comes from it and nothing reaches it, while its containers and its connection live on."""


_OWN = {Kind.SLOW: ("factor", 10.0), Kind.FLAP: ("every", 5.0), Kind.WRONG_CLOCK: ("offset", 300.0)}
"""The one number that a kind has beside the common ones, and what it is where it is left out."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One line of the script. `count` or `share` says how many hosts; `lasts_s` None: to the end. `amount` is the kind's own number."""

    at_s: float
    kind: Kind
    count: int | None = None
    share: float | None = None
    lasts_s: float | None = None
    amount: float = 0.0

    def victims(self, able: Sequence[int], source: random.Random) -> list[int]:
        """Which hosts it happens to, of those to which nothing is happening."""
        wanted = self.count if self.count is not None else math.ceil((self.share or 0.0) * len(able))
        return sorted(source.sample(able, min(wanted, len(able))))


def parse(text: str) -> tuple[Failure, ...]:
    """The script of a file: a JSON list. Raises ValueError with the place and what is expected there."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(found, list):
        raise ValueError(  # noqa: TRY004 - a wrong file, not a wrong call
            'not a list of objects like {"at": 30, "what": "crash", "share": 0.1, "for": 20}'
        )
    script = [_failure(item, f"[{position}]") for position, item in enumerate(found)]
    return tuple(sorted(script, key=lambda failure: failure.at_s))


def _failure(item: Any, place: str) -> Failure:
    if not isinstance(item, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004 - a wrong file, not a wrong call
    try:
        kind = Kind(item.get("what", ""))
    except ValueError:
        raise ValueError(f"{place}.what is {item.get('what')!r}, not one of {', '.join(Kind)}") from None
    own, default = _OWN.get(kind, ("", 0.0))
    known = {"at", "what", "count", "share", "for", own}
    if unknown := item.keys() - known:
        raise ValueError(f"{place} has {min(unknown)}, which {kind} does not know")
    count, share = _number(item, "count", place), _number(item, "share", place)
    if (count is None) == (share is None):
        raise ValueError(f"{place} needs either count or share")
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"{place}.share is {share:g}, not above 0 and up to 1")
    if count is not None and (count < 1 or count != int(count)):
        raise ValueError(f"{place}.count is {count:g}, not a whole number above zero")
    lasts_s = _number(item, "for", place)
    amount = _number(item, own, place) if own else None
    if kind in {Kind.SLOW, Kind.FLAP} and amount is not None and amount <= 0:
        raise ValueError(f"{place}.{own} is {amount:g}, not above zero")
    return Failure(
        at_s=max(0.0, _number(item, "at", place) or 0.0),
        kind=kind,
        count=None if count is None else int(count),
        share=share,
        lasts_s=None if lasts_s is None else max(0.0, lasts_s),
        amount=default if amount is None else amount,
    )


def _number(item: Mapping[str, Any], name: str, place: str) -> float | None:
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{place}.{name} is {value!r}, not a number")
    return float(value)
