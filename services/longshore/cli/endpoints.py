"""Where a task's published ports are reached."""

from collections.abc import Iterable

from longshore.v1 import task_definition_pb2, task_pb2

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound


def urls(bindings: Iterable[task_pb2.NetworkBinding], *, host: str = "127.0.0.1") -> list[str]:
    """A URL per published port, by container port; `host` stands for a port that is published on every address."""
    listed = sorted(bindings, key=lambda binding: (binding.container_port, binding.bind_ip))
    seen: dict[tuple[int, int], str] = {}
    for binding in listed:
        scheme = "udp" if binding.protocol == task_definition_pb2.TRANSPORT_PROTOCOL_UDP else "http"
        address = host if binding.bind_ip in EVERYWHERE else binding.bind_ip
        seen.setdefault((binding.container_port, binding.host_port), f"{scheme}://{address}:{binding.host_port}")
    return list(seen.values())
