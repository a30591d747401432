"""A container instance as placement sees it: one row of `container_instances`, parsed. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from longshore.scheduler import requirements, resources
from longshore.storage import ports, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import container_instance_pb2

COLUMNS = "instance_id, status, connected, connected_at, registered_at, membership_revision, body"
"""What `parse` needs of a row."""

ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
DRAINING = container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING


@dataclass(frozen=True, slots=True)
class Instance:
    """What an instance has and is. CPU in units, memory in MiB, ports those that no task may take, offers what else it has by name."""

    instance_id: str
    status: int
    connected: bool
    membership_revision: int
    cpu: int
    memory: int
    reserved_ports: frozenset[int] = frozenset()
    offers: Mapping[str, resources.Offer] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    connected_at: int | None = None
    agent_version: str = ""
    ec2_instance_id: str = ""
    registered_at: int = 0

    @property
    def identity(self) -> tuple[object, ...]:
        """What an expression can ask for beside attributes."""
        return self.connected, self.agent_version, self.ec2_instance_id, self.registered_at

    @property
    def placeable(self) -> bool:
        """Whether it takes new tasks at all."""
        return self.status == ACTIVE and self.connected

    def lacks(self, required: tuple[requirements.Attribute, ...]) -> tuple[requirements.Attribute, ...]:
        """The required attributes that it does not have."""
        return tuple(attribute for attribute in required if not self._has(attribute))

    def _has(self, required: requirements.Attribute) -> bool:
        if required.name not in self.attributes:
            return False
        return required.value is None or self.attributes[required.name] == required.value


def changed(cluster: str, seen: int) -> steps.Step[list[steps.Row]]:
    """The rows of a cluster's instances that have changed since a membership revision, gone ones included."""
    return (
        yield from steps.fetch(
            f"SELECT {COLUMNS} FROM container_instances WHERE cluster = $1 AND membership_revision > $2"  # noqa: S608 - our names
            " ORDER BY membership_revision",
            cluster,
            seen,
        )
    )


def by_ids(dialect: Dialect, cluster: str, ids: Collection[str]) -> steps.Step[list[steps.Row]]:
    """The rows of these instances of a cluster, gone ones included."""
    if not ids:
        return []
    return (
        yield from steps.fetch(
            f"SELECT {COLUMNS} FROM container_instances WHERE cluster = $1 AND {dialect.member('instance_id', 2)}",  # noqa: S608 - our names
            cluster,
            sorted(ids),
        )
    )


def parse(row: steps.Row) -> Instance:
    """The instance of a row with `COLUMNS`."""
    body = container_instance_pb2.ContainerInstance.FromString(row["body"])
    amounts = {resource.name: resource.integer_value for resource in body.registered_resources}
    return Instance(
        instance_id=row["instance_id"],
        status=row["status"],
        connected=bool(row["connected"]),
        membership_revision=row["membership_revision"],
        cpu=amounts.get("CPU", 0),
        memory=amounts.get("MEMORY", 0),
        reserved_ports=frozenset(_reserved_ports(body)),
        offers=dict(_offers(body)),
        attributes={attribute.name: attribute.value for attribute in body.attributes},
        connected_at=row["connected_at"],
        agent_version=body.version_info.agent_version,
        ec2_instance_id=body.ec2_instance_id,
        registered_at=row["registered_at"],
    )


_OWN = frozenset({"CPU", "MEMORY", "PORTS", "PORTS_UDP"})


def _offers(body: container_instance_pb2.ContainerInstance) -> Iterator[tuple[str, resources.Offer]]:
    """The resources by name. Those with fractions (DOUBLE) cannot be counted with."""
    for resource in body.registered_resources:
        if resource.name in _OWN:
            continue
        if resource.type == "STRINGSET":
            yield resource.name, tuple(dict.fromkeys(resource.string_set_value))
        elif resource.type in {"INTEGER", "LONG"}:
            yield resource.name, resource.integer_value if resource.type == "INTEGER" else resource.long_value


def _reserved_ports(body: container_instance_pb2.ContainerInstance) -> Iterator[int]:
    for resource in body.registered_resources:
        if resource.name == "PORTS":
            yield from (ports.tcp(int(number)) for number in resource.string_set_value)
        elif resource.name == "PORTS_UDP":
            yield from (ports.udp(int(number)) for number in resource.string_set_value)
