"""Small makers for the scheduler's unit tests."""

from collections.abc import Mapping

from longshore.scheduler import instances, placement, requirements, resources, snapshot


def instance(
    name: str,
    *,
    cpu: int = 1024,
    memory: int = 1024,
    status: int = instances.ACTIVE,
    connected: bool = True,
    revision: int = 1,
    reserved_ports: frozenset[int] = frozenset(),
    attributes: Mapping[str, str] | None = None,
    offers: Mapping[str, resources.Offer] | None = None,
) -> instances.Instance:
    """An instance as a row would say."""
    return instances.Instance(
        instance_id=name,
        status=status,
        connected=connected,
        membership_revision=revision,
        cpu=cpu,
        memory=memory,
        reserved_ports=reserved_ports,
        attributes=attributes or {},
        offers=offers or {},
    )


def cluster(*facts: instances.Instance) -> snapshot.Snapshot:
    """A snapshot of these instances."""
    base = snapshot.Snapshot()
    for fact in facts:
        base.apply(fact)
    return base


def request(
    *,
    cpu: int = 256,
    memory: int = 128,
    ports: tuple[int, ...] = (),
    attributes: tuple[requirements.Attribute, ...] = (),
    group: str = "g",
    count: int = 1,
    **rest: object,
) -> placement.Request:
    """A request for tasks of one shape."""
    needs = requirements.Needs(cpu, memory, ports, attributes)
    return placement.Request(needs, group, count, **rest)  # type: ignore[arg-type]
