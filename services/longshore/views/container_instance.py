"""A container instance as ECS shows it: its stored body, its row, and what is in use on it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from longshore.rpc import arns
from longshore.v1 import common_pb2, container_instance_pb2
from longshore.views import times

_AMOUNTS = frozenset({"CPU", "MEMORY"})
_PORTS = {"PORTS": "tcp", "PORTS_UDP": "udp"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What the tasks of an instance hold until they are released, and how many run or are about to."""

    cpu: int = 0
    memory: int = 0
    tcp_ports: frozenset[int] = frozenset()
    udp_ports: frozenset[int] = frozenset()
    running: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of `container_instances`, its body parsed. Times are microseconds."""

    instance_id: str
    cluster: str
    status: container_instance_pb2.ContainerInstanceStatus.ValueType
    status_reason: str
    connected: bool
    version: int
    registered_at: int
    body: container_instance_pb2.ContainerInstance = field(repr=False)
    connected_at: int | None = None
    disconnected_at: int | None = None


def render(
    stored: Stored, usage: Usage, *, place: arns.Place, tags: bool = False, health: bool = False
) -> container_instance_pb2.ContainerInstance:
    """The instance's message."""
    shown = container_instance_pb2.ContainerInstance()
    shown.CopyFrom(stored.body)
    shown.container_instance_arn = place.container_instance(stored.cluster, stored.instance_id)
    shown.version = stored.version
    shown.status = stored.status
    if stored.status_reason:
        shown.status_reason = stored.status_reason
    shown.agent_connected = stored.connected
    shown.running_tasks_count = usage.running
    shown.pending_tasks_count = usage.pending
    shown.registered_at.CopyFrom(times.timestamp(stored.registered_at))
    shown.remaining_resources.extend(remaining(stored.body.registered_resources, usage))
    if not tags:
        del shown.tags[:]
    if health:
        shown.health_status.CopyFrom(_health(stored))
    return shown


def remaining(registered: Iterable[common_pb2.Resource], usage: Usage) -> list[common_pb2.Resource]:
    """What remains of the resources; of ports, as ECS shows them, those that are in use, the reserved ones included."""
    left: list[common_pb2.Resource] = []
    for resource in registered:
        after = common_pb2.Resource()
        after.CopyFrom(resource)
        if resource.name in _AMOUNTS:
            after.integer_value = resource.integer_value - (usage.cpu if resource.name == "CPU" else usage.memory)
        elif resource.name in _PORTS:
            used = usage.tcp_ports if _PORTS[resource.name] == "tcp" else usage.udp_ports
            ports = sorted({int(port) for port in resource.string_set_value} | used)
            after.string_set_value[:] = [str(port) for port in ports]
        left.append(after)
    return left


def _health(stored: Stored) -> container_instance_pb2.ContainerInstanceHealthStatus:
    """Health as far as it is known here: whether the agent speaks, and since when."""
    ok = container_instance_pb2.INSTANCE_HEALTH_CHECK_STATE_OK
    impaired = container_instance_pb2.INSTANCE_HEALTH_CHECK_STATE_IMPAIRED
    state = ok if stored.connected else impaired
    since = times.optional(stored.connected_at if stored.connected else stored.disconnected_at)
    return container_instance_pb2.ContainerInstanceHealthStatus(
        overall_status=state,
        details=[
            container_instance_pb2.InstanceHealthCheckResult(
                type=container_instance_pb2.INSTANCE_HEALTH_CHECK_TYPE_AGENT_CONNECTIVITY,
                status=state,
                last_updated=since,
                last_status_change=since,
            )
        ],
    )
