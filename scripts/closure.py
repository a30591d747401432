"""Print the pinned requirements of extras of this distribution: `closure.py EXTRA...`.

Reads what is installed in this environment, which is what requirements.lock pins, so that an image or a bundle holds exactly
the versions that were tested, and of those only what the extras need.
"""

import sys
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement

OURS = "longshore"
# The closure serves every 3.11: an image's interpreter may be older than this one and need a backport that this does not.
INTERPRETERS: tuple[dict[str, str], ...] = ({}, {"python_version": "3.11", "python_full_version": "3.11.0"})


def closure(extras: Iterable[str]) -> dict[str, str]:
    """Name and version of every distribution that the extras need, directly or not."""
    found: dict[str, str] = {}
    waiting = [Requirement(f"{OURS}[{','.join(extras)}]")]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        key = f"{requirement.name}[{','.join(sorted(requirement.extras))}]".lower()
        if key in seen:
            continue
        seen.add(key)
        distribution = metadata.distribution(requirement.name)
        if requirement.name != OURS:
            found[distribution.metadata["Name"]] = distribution.version
        for text in distribution.requires or ():
            needed = Requirement(text)
            if _applies(needed, requirement.extras):
                waiting.append(needed)
    return found


def _applies(needed: Requirement, extras: set[str]) -> bool:
    if needed.marker is None:
        return True
    environments = [{**interpreter, "extra": extra} for interpreter in INTERPRETERS for extra in extras or {""}]
    return any(needed.marker.evaluate(environment) for environment in environments)


def main() -> None:
    """Print one pin a line, sorted."""
    for name, version in sorted(closure(sys.argv[1:]).items(), key=lambda item: item[0].lower()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
