"""Where settings come from: flags, then the environment, then the configuration file, then defaults.

In the environment and in the file alike, our name of a setting wins over ECS's. The file is `NAME=VALUE` a line, as `/etc/ecs/ecs.config`
has it, or JSON, as ECS's `config.json`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from longshore.agent.settings import config, ecs_settings
from longshore.rpc import settings

MAX_FILE_BYTES = 1024 * 1024
"""Whatever is longer is another file."""

STARTERS = frozenset({"LONGSHORE_AGENT_IMAGE", "LONGSHORE_AGENT_COMMAND", "LONGSHORE_AGENT_OPTIONS"})
"""What the service's own start script reads in the same file (deploy/agent)."""

_OTHERS = re.compile(r"DOCKER_(HOST|CONFIG)|(HTTPS?|NO)_PROXY|AWS_[A-Z_]+")
"""Names in an ECS host's file that are neither ECS's nor ours."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and what is to be said of where they came from."""

    config: config.Config
    environ: Mapping[str, str] = field(repr=False)
    """The environment with the file's variables below it."""
    without_effect: tuple[str, ...] = ()
    """Settings of ECS's agent that say nothing to this one."""
    unknown: tuple[str, ...] = ()


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Loaded:
    """Put the settings together. Raises SettingsError with every fault."""
    named = settings.chosen(config.Config, "config_file", argv, environ)
    layers = [variables for variables in (_read(Path(named)) if named else {}, environ) if variables]
    merged: dict[str, str] = {}
    sources: dict[str, str] = {}
    faults: list[str] = []
    without_effect: list[str] = []
    unknown = list(_strangers(layers[0])) if named and layers else []
    for layer in layers:
        ecs = ecs_settings.translate(layer)
        ours = {name: value for name, value in layer.items() if value}
        merged.update({**ecs.values, **ours})
        sources = {name: source for name, source in sources.items() if name not in ours} | {
            name: source for name, source in ecs.sources.items() if name not in ours
        }
        faults += ecs.faults
        without_effect += ecs.without_effect
        unknown += ecs.unknown
    try:
        parsed = settings.parse(config.Config, argv, merged, prog="longshore agent")
    except settings.SettingsError as error:
        raise settings.SettingsError([*faults, *(_by_source(fault, sources) for fault in error.faults)]) from error
    if faults:
        raise settings.SettingsError(faults)
    return Loaded(parsed, merged, tuple(dict.fromkeys(without_effect)), tuple(dict.fromkeys(unknown)))


def _read(path: Path) -> dict[str, str]:
    try:
        with path.expanduser().open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise settings.SettingsError([f"the configuration file {path} cannot be read: {error}"]) from error
    if len(text) > MAX_FILE_BYTES:
        raise settings.SettingsError([f"the configuration file {path} has more than {MAX_FILE_BYTES} bytes"])
    try:
        return variables(text)
    except ValueError as error:
        raise settings.SettingsError([f"the configuration file {path}: {error}"]) from error


def variables(text: str) -> dict[str, str]:
    """The variables of a configuration file. Raises ValueError that names the line."""
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
        return ecs_settings.of_json(document)
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"line {number} is neither NAME=VALUE nor a comment")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in {'"', "'"}
    return value[1:-1] if quoted else value


def _strangers(file: Mapping[str, str]) -> Iterator[str]:
    """Names in the file that nobody reads. In the environment there are all sorts of names, here it is a slip of the pen."""
    known = STARTERS | {settings.variable(name) for name in settings.names(config.Config)}
    for name in file:
        if name not in known and not name.startswith(ecs_settings.PREFIXES) and not _OTHERS.fullmatch(name):
            yield name


def _by_source(fault: str, sources: Mapping[str, str]) -> str:
    """The fault under the name that the setting was given by."""
    first, space, rest = fault.partition(" ")
    name = first.rstrip(":")
    return f"{sources[name]}{first[len(name) :]}{space}{rest}" if name in sources else fault
