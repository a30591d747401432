"""The account settings that there are, as ECS has them: their values, and what holds where nobody put one. Pure.

`containerInsights` is the default for new clusters. The others are kept and shown: what they turn on in AWS is there always (long
ARNs, tags on creation) or is AWS's own (Fargate, GuardDuty, network interfaces).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.rpc import errors

CONTAINER_INSIGHTS = "containerInsights"

_SWITCH = ("enabled", "disabled")
_ON_OFF = ("on", "off")


@dataclass(frozen=True, slots=True)
class Name:
    """One setting. `managed`: nobody can change it. `always`: it cannot be disabled any more."""

    default: str
    values: tuple[str, ...] = _SWITCH
    managed: bool = False
    always: bool = False


NAMES: Mapping[str, Name] = {
    "awsvpcTrunking": Name("disabled"),
    "containerInsights": Name("disabled", ("enabled", "disabled", "enhanced")),
    "containerInstanceLongArnFormat": Name("enabled", always=True),
    "defaultLogDriverMode": Name("non-blocking", ("blocking", "non-blocking")),
    "dualStackIPv6": Name("enabled"),
    "fargateEventWindows": Name("disabled"),
    "fargateFIPSMode": Name("disabled"),
    "fargateTaskRetirementWaitPeriod": Name("7", ("0", "7", "14")),
    "guardDutyActivate": Name("off", _ON_OFF, managed=True),
    "serviceLongArnFormat": Name("enabled", always=True),
    "tagResourceAuthorization": Name("on", _ON_OFF),
    "taskLongArnFormat": Name("enabled", always=True),
}
"""Every setting by its name, in the order in which they are listed."""


def known(name: str) -> Name:
    """The setting of a name. Raises InvalidParameterException in ECS's words."""
    found = NAMES.get(name)
    if found is None:
        raise errors.InvalidParameterException(f"{_shown(name)} should be one of [{','.join(NAMES)}]", field="name")
    return found


def changeable(name: str) -> Name:
    """The same, once it is sure that callers may change it."""
    found = known(name)
    if found.managed:
        raise errors.InvalidParameterException(
            f"{name} is managed by AWS on the customer's behalf and cannot be changed.", field="name"
        )
    return found


def check(name: str, value: str) -> None:
    """Refuse a value that cannot be put."""
    setting = changeable(name)
    if value not in setting.values:
        raise errors.InvalidParameterException(
            f"{_shown(value)} should be one of [{','.join(setting.values)}]", field="value", name=name
        )
    if setting.always and value == "disabled":
        raise errors.InvalidParameterException("You can no longer disable Long Arn settings", field="value", name=name)


def _shown(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
