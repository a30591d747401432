"""A container instance as ECS shows it: its stored body, its row, and what is in use on it. Pure."""

from collections.abc import Iterable, Mapping
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
    held: Mapping[str, frozenset[str] | int] = field(default_factory=dict)
    """Of other resources by name: the ids that are taken, or how many are."""
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
    """What remains of the resources; of ports, as ECS shows them, those that are in use, reserved and dynamic ones included."""
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
        elif resource.name in usage.held:
            _take(after, usage.held[resource.name])
        left.append(after)
    return left


def _take(resource: common_pb2.Resource, held: frozenset[str] | int) -> None:
    """Take from a resource what tasks hold of it: of ids those that are not taken remain."""
    if resource.type == "STRINGSET":
        taken = held if isinstance(held, frozenset) else frozenset()
        resource.string_set_value[:] = [one for one in resource.string_set_value if one not in taken]
        return
    count = held if isinstance(held, int) else len(held)
    if resource.type == "INTEGER":
        resource.integer_value -= count
    elif resource.type == "LONG":
        resource.long_value -= count


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
