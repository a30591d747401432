"""A campaign: so many shots by number, several at a time, with one stack and one judgement.

A shot is made of the seed and its number alone. What fails is written to a file, so that it can be sent again as it was.
"""

import asyncio
import difflib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.fuzz import complaints, target

AT_ONCE = 8

MOST_FAILURES = 10
"""Failures after which a campaign ends: the rest would tell the same."""

LONGEST_TURN_S = 0.3
"""Processor time of one turn of the event loop: ten times what the largest requests take, and a tenth of what would lose an agent."""

GROWTH_KB = 16 * 1024
"""Resident memory that the second half may add. It has as many requests as the first, which filled the caches."""

GROWTH_OBJECTS = 2_000
GROWTH_PER_SHOT = 0.5
"""Objects that the second half may add: some for what is under way at that moment, and for the state that one shot in many leaves."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is shot, from which seed."""

    seed: int
    first: int
    count: int
    folder: Path
    """Where failing shots are written."""

    def chance(self, number: int) -> random.Random:
        """The randomness of one shot."""
        return random.Random(f"{self.seed}:{number}")

    def scaled(self, share: float) -> "Plan":
        """So much less, of what takes longer; a single shot stays one."""
        return replace(self, count=max(1, round(self.count * share)))

    def again(self, number: int) -> str:
        """How to repeat one shot."""
        return f"--fuzz-seed={self.seed} --fuzz-first={number} --fuzz-requests=1"


Shoot = Callable[[int], Awaitable[str | None]]
"""Shoots by number; gives what is wrong with the outcome."""


async def run(
    plan: Plan, stack: target.Target, heard: complaints.Complaints, shooters: list[Shoot], raw: Callable[[int], bytes]
) -> None:
    """Shoot the whole plan in two halves, and hold the stack to what must be so between and after them."""
    before = await target.canary(stack)
    half = plan.count // 2
    pulse = target.Pulse()
    with pulse.felt():
        await _shoot(plan, heard, shooters, raw, range(plan.first, plan.first + half))
    middle = target.Footprint.now()
    with pulse.felt():
        await _shoot(plan, heard, shooters, raw, range(plan.first + half, plan.first + plan.count))
    after = target.Footprint.now()
    changed = difflib.unified_diff(before.splitlines(), (await target.canary(stack)).splitlines(), lineterm="")
    problems = [*changed, *await target.inconsistencies(stack), *_growth(middle, after, plan.count - half)]
    if pulse.longest_s > LONGEST_TURN_S:
        problems.append(f"something kept the event loop busy for {pulse.longest_s:.2f} s")
    assert not problems, "\n".join([f"--fuzz-seed={plan.seed} --fuzz-requests={plan.count}", *problems])


def _growth(middle: target.Footprint, after: target.Footprint, shots: int) -> list[str]:
    grown = {
        "KiB resident": (after.resident_kb - middle.resident_kb, GROWTH_KB),
        "objects": (after.objects - middle.objects, GROWTH_OBJECTS + GROWTH_PER_SHOT * shots),
        "open files": (after.files - middle.files, 2 * AT_ONCE),
        "tasks": (after.tasks - middle.tasks, 8 * AT_ONCE),
    }
    return [
        f"{more} more {what}, at most {bound:.0f} expected" for what, (more, bound) in grown.items() if more > bound
    ]


async def _shoot(
    plan: Plan, heard: complaints.Complaints, shooters: list[Shoot], raw: Callable[[int], bytes], numbers: range
) -> None:
    waiting = iter(numbers)
    failures: list[str] = []

    async def go_on(shoot: Shoot) -> None:
        for number in waiting:
            problem = await shoot(number)
            if heard.heard:
                problem = f"{problem or ''}\nlogged: {heard.heard.pop(0)}"
            if problem:
                failures.append(_kept(plan, number, problem, raw(number)))
            if len(failures) >= MOST_FAILURES:
                return

    await asyncio.gather(*(go_on(shoot) for shoot in shooters))
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)


def _kept(plan: Plan, number: int, problem: str, data: bytes) -> str:
    file = plan.folder / f"shot-{plan.seed}-{number}"
    file.write_bytes(data)
    shown = data if len(data) < 1_000 else data[:1_000] + b"..."
    return f"shot {number} ({plan.again(number)}; {file}): {problem}\n{shown!r}"
