"""Configuration: one frozen dataclass per component, parsed once from `LONGSHORE_*` variables and flags of the same name.

    @settings.config
    class Config(settings.Component):
        lease_ms: int = settings.option(default=10_000, help="silence after which an agent counts as gone", minimum=100)

    config = settings.parse(Config, sys.argv[1:], os.environ, prog="longshore state-tracker")

The field `lease_ms` is the variable LONGSHORE_LEASE_MS and the flag --lease-ms; a flag beats its variable, which beats the
default. A field without a default is required. Types: str, int, float, bool, Path, tuple[str, ...] (comma-separated, or a JSON list of
texts), and each of them with `| None` (an empty text is None). All faults are reported together. `--help` prints the table of settings and exits.
A class may have `def faults(self) -> Iterable[str]` for what concerns several fields.
"""

import contextlib
import dataclasses
import difflib
import json
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, dataclass_transform
from urllib.parse import urlsplit

from longshore.rpc import tls

C = TypeVar("C", bound="Settings")

PREFIX = "LONGSHORE_"
REDACTED = "***"

_MISSING: Any = dataclasses.MISSING
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class SettingsError(Exception):
    """Settings are missing or wrong. `faults` has one sentence for each; the message has them all, one a line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def option(
    *,
    default: Any = _MISSING,
    help: str,  # noqa: A002 - what argparse calls it
    secret: bool = False,
    choices: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field of a configuration. Without a default it is required."""
    kept = {"help": help, "secret": secret, "choices": tuple(choices), "minimum": minimum, "maximum": maximum}
    return dataclasses.field(default=default, metadata=kept)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def config(cls: type[C]) -> type[C]:
    """Make a class of options a frozen, slotted dataclass that keeps its secrets out of its repr."""
    return dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)(cls)


class Settings:
    """Base of all configurations."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.shown().items())
        return f"{type(self).__name__}({shown})"

    def shown(self) -> dict[str, str]:
        """Every setting as text for logs and repr: secrets and the passwords in URLs are left out."""
        return {field.name: _shown(field, getattr(self, field.name)) for field in _fields(type(self))}

    def faults(self) -> Iterable[str]:
        """What is wrong about several settings together, one sentence each."""
        return ()


def parse(cls: type[C], argv: Sequence[str], environ: Mapping[str, str], *, prog: str = "longshore") -> C:
    """The configuration that flags and variables say. Raises SettingsError with every fault; `--help` prints and exits 0."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(usage(cls, prog=prog))
        raise SystemExit(0)
    given, faults = _flags(cls, argv)
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for field in _fields(cls):
        source, text = _chosen(field, given, environ)
        if text is None:
            if field.default is dataclasses.MISSING:
                faults.append(f"{variable(field.name)} (or {flag(field.name)}) is required: {field.metadata['help']}")
            continue
        try:
            values[field.name] = _checked(field, _converted(hints[field.name], text))
        except ValueError as error:
            said = REDACTED if field.metadata["secret"] else repr(text)
            faults.append(f"{source} is {said}: {error}")
    if faults:
        raise SettingsError(faults)
    parsed = cls(**values)
    if together := tuple(parsed.faults()):
        raise SettingsError(together)
    return parsed


def chosen(cls: type[Settings], name: str, argv: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The text of one setting before the others are read: it may say where they are. None where it was left out."""
    given, _ = _flags(cls, argv)
    field = next(field for field in _fields(cls) if field.name == name)
    return _chosen(field, given, environ)[1]


def names(cls: type[Settings]) -> list[str]:
    """The fields of a configuration."""
    return [field.name for field in _fields(cls)]


def usage(cls: type[Settings], *, prog: str = "longshore") -> str:
    """The text of `--help`."""
    lines = [f"usage: {prog} [--flag VALUE ...]", ""]
    if cls.__doc__:
        lines += [cls.__doc__.strip().splitlines()[0], ""]
    lines += ["Every flag can be given as a variable instead; a flag beats its variable.", ""]
    hints = typing.get_type_hints(cls)
    for field in _fields(cls):
        kind = "" if _core(hints[field.name]) is bool else f" {_placeholder(hints[field.name])}"
        lines.append(f"  {flag(field.name)}{kind}  ({variable(field.name)})")
        lines.append(f"      {field.metadata['help']}{_default_note(field)}")
    return "\n".join(lines) + "\n"


def variable(name: str) -> str:
    """The variable of a field. One whose name is taken in Python, or here, ends in an underscore, which is not part of it."""
    return PREFIX + name.rstrip("_").upper()


def flag(name: str) -> str:
    """The flag of a field, likewise."""
    return "--" + name.rstrip("_").replace("_", "-")


def redacted_url(url: str) -> str:
    """A URL without its password."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.password is not None:
            name, _, host = parts.netloc.rpartition("@")
            return parts._replace(netloc=f"{name.partition(':')[0]}:{REDACTED}@{host}").geturl()
    return url


# ------------------------------------------------------------------------------------------- settings that many share

GATEWAY_PORT = 8700
REGISTRY_PORT = 8701
SCHEDULER_PORT = 8702
STATE_TRACKER_PORT = 8703


@config
class Process(Settings):
    """What every process is told: how to log, where the control plane is, and its certificates."""

    log_level: str = option(
        default="info", help="least level that is logged", choices=("debug", "info", "warning", "error")
    )
    log_file: Path | None = option(default=None, help="write the log to this file, rotated, instead of standard output")
    log_format: str = option(
        default="", help="how lines are written; empty: JSON, columns on a terminal", choices=("", "json", "logfmt")
    )
    log_max_file_size_mb: int = option(default=10, help="MiB of the log file before it is rotated", minimum=1)
    log_max_roll_count: int = option(default=5, help="rotated log files that are kept", minimum=0)
    server: str = option(default="127.0.0.1", help="host of the control plane, with its usual ports")
    registry: tuple[str, ...] = option(default=(), help="host:port of each registry, instead of --server's")
    scheduler: tuple[str, ...] = option(default=(), help="host:port of each scheduler, instead of --server's")
    state_tracker: tuple[str, ...] = option(default=(), help="host:port of each state-tracker, instead of --server's")
    tls_cert_file: Path | None = option(default=None, help="PEM file of this process's certificate")
    tls_key_file: Path | None = option(default=None, help="PEM file of the certificate's key")
    tls_ca_file: Path | None = option(default=None, help="PEM file of the authority that peers' certificates come from")

    def faults(self) -> Iterable[str]:
        """Addresses that are none, and half a certificate."""
        for name in ("registry", "scheduler", "state_tracker"):
            for address in getattr(self, name):
                try:
                    tls.HostPort.parse(address)
                except ValueError as error:
                    yield f"{variable(name)}: {error}"
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            yield f"{variable('tls_cert_file')} and {variable('tls_key_file')} go together: only one is set"

    @property
    def registry_addresses(self) -> tuple[str, ...]:
        """host:port of each registry."""
        return self.registry or (default_address(self.server, REGISTRY_PORT),)

    @property
    def scheduler_addresses(self) -> tuple[str, ...]:
        """host:port of each scheduler."""
        return self.scheduler or (default_address(self.server, SCHEDULER_PORT),)

    @property
    def state_tracker_addresses(self) -> tuple[str, ...]:
        """host:port of each state-tracker."""
        return self.state_tracker or (default_address(self.server, STATE_TRACKER_PORT),)

    @property
    def tls(self) -> tls.Files:
        """The three files, for `channels.connect(files=…)`."""
        return tls.Files(self.tls_cert_file, self.tls_key_file, self.tls_ca_file)


@config
class Served(Process):
    """What everything that answers is told besides. Each sets its own default of `listen`."""

    listen: str = option(default="127.0.0.1:0", help="host:port to serve on; port 0 takes a free one")
    insecure: bool = option(default=False, help="serve beyond loopback without TLS and authentication")
    metrics_listen: str = option(default="", help="host:port to serve Prometheus metrics on; empty: none are served")
    account: str = option(default="123456789012", help="the account id in ARNs")
    region: str = option(default="us-east-1", help="the region in ARNs")
    any_region: bool = option(
        default=False, help="answer callers of every region in theirs, and take every region's ARNs"
    )

    def faults(self) -> Iterable[str]:
        """Addresses that are none, and an account that ARNs cannot carry."""
        yield from Process.faults(self)  # super() needs the class before slots were added, which is another one
        yield from _misaddressed(self, "listen", "metrics_listen")
        if not (self.account.isascii() and self.account.isdigit() and len(self.account) == 12):
            yield f"{variable('account')} is {self.account!r}: an account id has 12 digits"


@config
class Component(Served):
    """What every component that stands on the database is told besides."""

    advertise: str | None = option(
        default=None, help="host:port under which others reach this, where that is not --listen"
    )
    database_url: str = option(default="", help="sqlite:///… or postgresql://…")
    events_url: str = option(default="memory://", help="memory:// or redis://…")
    state_dir: Path | None = option(default=None, help="folder of whatever keeps files")

    def faults(self) -> Iterable[str]:
        """What is wrong with anything that is served, and an address of others' that is none."""
        yield from Served.faults(self)
        yield from _misaddressed(self, "advertise")


def _misaddressed(config: Settings, *names: str) -> Iterable[str]:
    """Those of the settings that are given and are no host:port."""
    for name in names:
        if address := getattr(config, name):
            try:
                tls.HostPort.parse(address)
            except ValueError as error:
                yield f"{variable(name)}: {error}"


def default_address(server: str, port: int) -> str:
    """host:port of a component on a host that was given without port (an IPv6 address with or without brackets)."""
    return str(tls.HostPort(server.strip().removeprefix("[").removesuffix("]"), port))


# ------------------------------------------------------------------------------------------- parsing


def _fields(cls: type[Settings]) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(typing.cast(Any, cls))


def _flags(cls: type[Settings], argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Values by field name, and what is wrong with the command line itself."""
    hints = typing.get_type_hints(cls)
    names = {flag(field.name): field.name for field in _fields(cls)}
    values: dict[str, str] = {}
    faults: list[str] = []
    rest = list(argv)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        positive = names.get(word)
        negative = names.get("--" + word.removeprefix("--no-")) if word.startswith("--no-") else None
        if negative and not positive and _core(hints[negative]) is bool and not equals:
            values[negative] = "false"
        elif positive is None:
            near = difflib.get_close_matches(word, names, n=1)
            faults.append(f"{word} is not a flag" + (f"; did you mean {near[0]}?" if near else " (see --help)"))
            if not equals and rest and not rest[0].startswith("--"):
                rest.pop(0)  # its value, not another fault
        elif equals:
            values[positive] = value
        elif _core(hints[positive]) is bool:
            values[positive] = "true"
        elif rest and not rest[0].startswith("--"):
            values[positive] = rest.pop(0)
        else:
            faults.append(f"{word} needs a value (one that begins with -- is written {word}=VALUE)")
    return values, faults


def _chosen(
    field: "dataclasses.Field[Any]", given: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[str, str | None]:
    """Where the value comes from and its text. A variable that is set but empty counts as left out."""
    if field.name in given:
        return flag(field.name), given[field.name]
    return variable(field.name), environ.get(variable(field.name)) or None


def _core(hint: Any) -> Any:
    """The type without `| None`."""
    if typing.get_origin(hint) in {Union, types.UnionType}:
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _converted(hint: Any, text: str) -> Any:
    core = _core(hint)
    if core is not hint and not text:
        return None
    if core is bool:
        return _boolean(text)
    if core in {int, float}:
        try:
            return core(text)
        except ValueError:
            raise ValueError(f"not {'a whole number' if core is int else 'a number'}") from None
    if core is Path:
        return Path(text).expanduser()
    if typing.get_origin(core) is tuple:
        return _listed(text)
    if core is str:
        return text
    raise TypeError(f"settings of type {core} are not supported")


def _listed(text: str) -> tuple[str, ...]:
    """Items between commas; a JSON list of texts for items with commas in them, and for none at all."""
    if text.lstrip().startswith("["):
        with contextlib.suppress(ValueError):  # `[::1]:8701` is no JSON
            found = json.loads(text)
            if isinstance(found, list) and all(isinstance(item, str) for item in found):
                return tuple(found)
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("neither true nor false")


def _checked(field: "dataclasses.Field[Any]", value: Any) -> Any:
    about = field.metadata
    if about["choices"] and value not in about["choices"]:
        raise ValueError(f"must be one of {', '.join(about['choices'])}")
    if about["minimum"] is not None and value is not None and value < about["minimum"]:
        raise ValueError(f"must be at least {about['minimum']}")
    if about["maximum"] is not None and value is not None and value > about["maximum"]:
        raise ValueError(f"must be at most {about['maximum']}")
    return value


def _shown(field: "dataclasses.Field[Any]", value: Any) -> str:
    if field.metadata["secret"] and value:
        return REDACTED
    return repr(redacted_url(value)) if isinstance(value, str) else repr(value)


def _placeholder(hint: Any) -> str:
    core = _core(hint)
    if typing.get_origin(core) is tuple:
        return "A,B,…"
    return {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(core, "TEXT")


def _default_note(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return " (required)"
    default = field.default
    if field.metadata["choices"]:
        one_of = f"one of {', '.join(filter(None, field.metadata['choices']))}"
        return f" ({one_of}; default {default})" if default else f" ({one_of})"
    if default in {None, "", False} or default == ():
        return ""
    if default is True:
        return f" (default; --no-{flag(field.name).removeprefix('--')} turns it off)"
    if isinstance(default, tuple):
        return f" (default {','.join(map(str, default))})"
    return f" (default {_shown(field, default).strip(chr(39))})"
