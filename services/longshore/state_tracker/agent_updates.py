"""UpdateContainerAgent: whether an agent is older than this release, and how it is updated. Pure.

Longshore never replaces the agent of a host by itself: whoever installed it does, and its containers run on meanwhile.
"""

import re

from longshore.rpc import errors

_NUMBERS = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)((?:[^0-9].{0,63})?)", re.ASCII)


def refusal(instance_id: str, agent_version: str, release: str) -> errors.ServiceError:
    """Why an agent is not updated; there is always a reason."""
    agent, ours = _ordered(agent_version), _ordered(release)
    if agent is None:
        return errors.MissingVersionException(
            f"Container instance {instance_id} has told no agent version that can be compared"
            + (f": '{agent_version[:64]}'." if agent_version else "."),
        )
    if ours is None:
        raise ValueError(f"this release has the version {release!r}, which is none")
    if agent >= ours:
        return errors.NoUpdateAvailableException(
            f"The agent of container instance {instance_id} has version {agent_version}; {release} is this release's.",
        )
    return errors.ClientException(
        f"The agent of container instance {instance_id} has version {agent_version}, this release is {release}. "
        f"Longshore does not update agents: install longshore {release} on the host, as it was installed before, and restart "
        "the agent; its containers go on.",
    )


def _ordered(version: str) -> tuple[tuple[int, ...], bool] | None:
    """A version as something that can be compared: its numbers without final zeros, then whether it is a release."""
    matched = _NUMBERS.fullmatch(version.strip())
    if matched is None:
        return None
    numbers = [int(part) for part in matched[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    # `1.2.0rc1`, `1.2.dev3` come before `1.2`; `1.2+local` and `1.2.post1` do not.
    return tuple(numbers), not re.match(r"[-.]?(a|b|c|rc|alpha|beta|dev|pre)", matched[2], re.IGNORECASE)
