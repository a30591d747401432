"""Account settings as rows: those that somebody put. What holds for a principal is its own, else the root's, else ECS's default."""

from dataclasses import dataclass

from longshore.registry import principals, setting_names
from longshore.storage import steps


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting and whose it is."""

    principal: str
    name: str
    value: str


def put(setting: Setting) -> steps.Step[int]:
    """Put a setting, or replace its value."""
    return steps.execute(
        "INSERT INTO account_settings (principal, name, value) VALUES ($1, $2, $3)"
        " ON CONFLICT (principal, name) DO UPDATE SET value = excluded.value",
        setting.principal,
        setting.name,
        setting.value,
    )


def remove(principal: str, name: str) -> steps.Step[Setting]:
    """Remove a principal's setting, if there is one; gives what holds from now on."""
    yield from steps.execute("DELETE FROM account_settings WHERE principal = $1 AND name = $2", principal, name)
    holding = yield from effective(principal)
    return holding[name]


def own(principal: str) -> steps.Step[dict[str, Setting]]:
    """The settings that were put for a principal itself, by name."""
    rows = yield from steps.fetch("SELECT principal, name, value FROM account_settings WHERE principal = $1", principal)
    return {row["name"]: Setting(*row) for row in rows}


def effective(principal: str) -> steps.Step[dict[str, Setting]]:
    """What holds for a principal, by name: every setting that there is."""
    defaults = {name: Setting(principals.ROOT, name, setting.default) for name, setting in setting_names.NAMES.items()}
    of_root = yield from own(principals.ROOT)
    its_own = yield from own(principal)
    # A later release may have put names that this one does not know.
    return {name: its_own.get(name) or of_root.get(name) or default for name, default in defaults.items()}
