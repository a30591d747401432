"""ECS's names: short name, id or ARN in, ARN out. Pure.

Parsing gives a `Reference`: what the text itself says and nothing more, so whoever looks it up decides what a missing part means
(`default` for a cluster that is not named, the latest revision of a family). Rendering is a method of `Place`, an account in a region;
it is done at the edge only: tables, labels and events hold ids.

    place = arns.Place(account="123456789012", region="us-east-1")
    place.task("web", "0123…")                      → arn:aws:ecs:us-east-1:123456789012:task/web/0123…
    arns.task("0123…")                              → Reference(kind=TASK, name="0123…")
    arns.task("arn:…:task/web/0123…", place=place)  → Reference(kind=TASK, name="0123…", cluster="web", …)

With `place`, an ARN of another account or region is refused, as ECS does; without it every one is taken. A place with `any_region` renders
in its own region and takes ARNs of every one: names and ids are the same in all of them.
"""

import enum
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.rpc import errors

DEFAULT_CLUSTER = "default"
"""The cluster that is meant where none is named."""


class Kind(enum.StrEnum):
    """What an ARN can name, spelled as it stands in the ARN."""

    CAPACITY_PROVIDER = "capacity-provider"
    CLUSTER = "cluster"
    CONTAINER = "container"
    CONTAINER_INSTANCE = "container-instance"
    SERVICE = "service"
    TASK = "task"
    TASK_DEFINITION = "task-definition"
    TASK_SET = "task-set"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a name says. Parts that it does not say are None."""

    kind: Kind
    name: str
    """Id or name: of a task its id, of a cluster or service its name, of a task definition its family."""
    cluster: str | None = None
    """Name of the cluster. Never known from a short name, nor from an ARN in the old format."""
    parent: str | None = None
    """Of a container its task's id, of a task set its service's name."""
    revision: int | None = None
    """Of a task definition."""
    account: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An account in a region, and the ARNs there."""

    account: str
    region: str
    partition: str = "aws"
    any_region: bool = False
    """Whether ARNs of other regions are taken as well."""

    def cluster(self, name: str) -> str:
        """ARN of a cluster."""
        return f"{self._prefix}:cluster/{name}"

    def capacity_provider(self, name: str) -> str:
        """ARN of a capacity provider."""
        return f"{self._prefix}:capacity-provider/{name}"

    def task_definition(self, family: str, revision: int) -> str:
        """ARN of a revision of a task definition."""
        return f"{self._prefix}:task-definition/{family}:{revision}"

    def container_instance(self, cluster: str, identifier: str) -> str:
        """ARN of a container instance."""
        return f"{self._prefix}:container-instance/{cluster}/{identifier}"

    def task(self, cluster: str, identifier: str) -> str:
        """ARN of a task."""
        return f"{self._prefix}:task/{cluster}/{identifier}"

    def container(self, cluster: str, task: str, identifier: str) -> str:
        """ARN of a container of a task."""
        return f"{self._prefix}:container/{cluster}/{task}/{identifier}"

    def service(self, cluster: str, name: str) -> str:
        """ARN of a service."""
        return f"{self._prefix}:service/{cluster}/{name}"

    def task_set(self, cluster: str, service: str, identifier: str) -> str:
        """ARN of a task set of a service."""
        return f"{self._prefix}:task-set/{cluster}/{service}/{identifier}"

    def render(self, reference: Reference) -> str:
        """ARN of a reference. Raises ValueError where a part is missing that the ARN contains."""
        return f"{self._prefix}:{reference.kind.value}/{'/'.join(_path(reference))}"

    @property
    def _prefix(self) -> str:
        return f"arn:{self.partition}:ecs:{self.region}:{self.account}"


def container_id(task_id: str, name: str) -> str:
    """Id of a container: a function of its task and name, so that everybody renders the same and nobody stores it."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"{task_id}/{name}".encode()).digest()[:16], version=4))


_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Names of clusters, services and families."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Ids of tasks, instances and the like: 32 hex digits or a UUID; whether there is such a one is not decided here."""

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):ecs:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<kind>[a-z-]+)/(?P<path>.+)"
)

_PARTS: Mapping[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.CAPACITY_PROVIDER: (("name",),),
    Kind.CLUSTER: (("name",),),
    Kind.CONTAINER: (("cluster", "parent", "name"), ("name",)),
    Kind.CONTAINER_INSTANCE: (("cluster", "name"), ("name",)),
    Kind.SERVICE: (("cluster", "name"), ("name",)),
    Kind.TASK: (("cluster", "name"), ("name",)),
    Kind.TASK_DEFINITION: (("name",),),
    Kind.TASK_SET: (("cluster", "parent", "name"),),
}
"""The parts of an ARN's path: the new format first, then the old one where there was one."""

_NAMED = frozenset({Kind.CAPACITY_PROVIDER, Kind.CLUSTER, Kind.SERVICE, Kind.TASK_DEFINITION})
"""Kinds whose name a person chose; the others have ids."""


def cluster(text: str, *, place: Place | None = None) -> Reference:
    """The cluster of a name or ARN; an empty text is the cluster `default`."""
    return _parsed(Kind.CLUSTER, text or DEFAULT_CLUSTER, place)


def capacity_provider(text: str, *, place: Place | None = None) -> Reference:
    """The capacity provider of a name or ARN."""
    return _parsed(Kind.CAPACITY_PROVIDER, text, place)


def task(text: str, *, place: Place | None = None) -> Reference:
    """The task of an id or ARN."""
    return _parsed(Kind.TASK, text, place)


def container_instance(text: str, *, place: Place | None = None) -> Reference:
    """The container instance of an id or ARN."""
    return _parsed(Kind.CONTAINER_INSTANCE, text, place)


def container(text: str, *, place: Place | None = None) -> Reference:
    """The container of an id or ARN."""
    return _parsed(Kind.CONTAINER, text, place)


def service(text: str, *, place: Place | None = None) -> Reference:
    """The service of a name or ARN."""
    return _parsed(Kind.SERVICE, text, place)


def task_set(text: str, *, place: Place | None = None) -> Reference:
    """The task set of an id or ARN."""
    return _parsed(Kind.TASK_SET, text, place)


def task_definition(text: str, *, place: Place | None = None) -> Reference:
    """The task definition of a family, `family:revision` or ARN; revision None stands for the latest."""
    return _parsed(Kind.TASK_DEFINITION, text, place)


def any_arn(text: str, *, place: Place | None = None) -> Reference:
    """Whatever an ARN names: for the operations on tags, which take nothing but ARNs."""
    matched = _ARN.fullmatch(text)
    if matched is None:
        raise errors.InvalidParameterException(f"Invalid arn syntax: {_quoted(text)}", value=_quoted(text))
    try:
        kind = Kind(matched["kind"])
    except ValueError:
        raise errors.InvalidParameterException(f"Invalid resource type in arn: {matched['kind']}") from None
    return _from_arn(kind, matched, place)


def same_cluster(reference: Reference, name: str) -> Reference:
    """The reference, once it is sure that it does not name another cluster than the request does."""
    if reference.cluster is not None and reference.cluster != name:
        raise errors.InvalidParameterException(
            f"Invalid identifier: Identifier is for {reference.cluster}. Your cluster is {name}",
            identifier=reference.name,
            cluster=name,
        )
    return reference


def _parsed(kind: Kind, text: str, place: Place | None) -> Reference:
    matched = _ARN.fullmatch(text)
    if matched is not None:
        if matched["kind"] != kind.value:
            raise errors.InvalidParameterException(
                f"Invalid identifier: {_quoted(text)} is the ARN of a {matched['kind']}, not of a {kind.value}.",
            )
        return _from_arn(kind, matched, place)
    if text.startswith("arn:"):
        raise errors.InvalidParameterException(f"Invalid arn syntax: {_quoted(text)}", value=_quoted(text))
    name, revision = _last_part(kind, text)
    return Reference(kind=kind, name=name, revision=revision)


def _from_arn(kind: Kind, matched: re.Match[str], place: Place | None) -> Reference:
    if place is not None and not place.any_region and matched["region"] != place.region:
        raise errors.InvalidParameterException(
            f"Invalid identifier: Identifier is for {matched['region']}. Your region is {place.region}"
        )
    if place is not None and matched["account"] != place.account:
        raise errors.InvalidParameterException(
            f"Invalid identifier: Identifier is for {matched['account']}. Your accountId is {place.account}"
        )
    parts = matched["path"].split("/")
    shape = next((shape for shape in _PARTS[kind] if len(shape) == len(parts)), None)
    if shape is None:
        raise errors.InvalidParameterException(f"Invalid arn syntax: {_quoted(matched[0])}")
    said = dict(zip(shape, parts, strict=True))
    name, revision = _last_part(kind, said.pop("name"))
    for part, value in said.items():
        pattern = _ID if part == "parent" and kind is Kind.CONTAINER else _NAME
        if not pattern.fullmatch(value):
            raise errors.InvalidParameterException(f"Invalid arn syntax: {_quoted(matched[0])}")
    return Reference(
        kind=kind,
        name=name,
        cluster=said.get("cluster"),
        parent=said.get("parent"),
        revision=revision,
        account=matched["account"],
        region=matched["region"],
    )


def _last_part(kind: Kind, text: str) -> tuple[str, int | None]:
    """What the name itself says: for a task definition family and revision."""
    if kind is Kind.TASK_DEFINITION:
        return _family_and_revision(text)
    pattern, what = (_NAME, "name") if kind in _NAMED else (_ID, "id")
    if not pattern.fullmatch(text):
        label = kind.value.replace("-", " ")
        raise errors.InvalidParameterException(
            f"Invalid identifier: {_quoted(text)} is not the {what} of a {label}, nor its ARN.", value=_quoted(text)
        )
    return text, None


def _family_and_revision(text: str) -> tuple[str, int | None]:
    family, colon, number = text.partition(":")
    if not _NAME.fullmatch(family):
        raise errors.ClientException(
            f"Invalid task definition: {_quoted(text)} is neither a family, nor family:revision, nor an ARN.",
            value=_quoted(text),
        )
    if not colon:
        return family, None
    if not (number.isascii() and number.isdigit() and len(number) <= 9 and int(number) > 0):
        raise errors.ClientException(f"Invalid revision number. Number: {_quoted(number)}", value=_quoted(text))
    return family, int(number)


def _path(reference: Reference) -> list[str]:
    parts: list[str] = []
    for part in _PARTS[reference.kind][0]:
        value = getattr(reference, part)
        if value is None:
            raise ValueError(f"the ARN of a {reference.kind.value} needs its {part}")
        parts.append(value)
    if reference.kind is Kind.TASK_DEFINITION:
        if reference.revision is None:
            raise ValueError("the ARN of a task definition needs its revision")
        parts[-1] = f"{parts[-1]}:{reference.revision}"
    return parts


def _quoted(text: str) -> str:
    """What the caller sent, short enough for a message."""
    return text if len(text) <= 100 else f"{text[:100]}…"
