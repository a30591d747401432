"""Where a task's published ports are reached. Pure."""

from collections.abc import Iterable

from longshore.v1 import container_instance_pb2, task_definition_pb2, task_pb2

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound

HOST_NAME = "longshore.hostname"
"""Attribute in which an agent tells its host's name."""


def urls(bindings: Iterable[task_pb2.NetworkBinding], *, host: str) -> list[str]:
    """A URL per published port, by container port; `host` stands for a port that is published on every address.

    What speaks behind a TCP port is not known: http is the likely one. A range is no URL that a browser takes, so it is tcp.
    """
    found: dict[tuple[int, str, str], str] = {}
    for binding in sorted(bindings, key=lambda binding: (binding.container_port, binding.bind_ip)):
        tcp = "tcp" if binding.host_port_range else "http"
        scheme = "udp" if binding.protocol == task_definition_pb2.TRANSPORT_PROTOCOL_UDP else tcp
        address = host if binding.bind_ip in EVERYWHERE else binding.bind_ip
        ports = binding.host_port_range or str(binding.host_port)
        shown = f"[{address}]" if ":" in address else address
        # An engine lists a port once for IPv4 and once for IPv6.
        found.setdefault((binding.container_port, scheme, ports), f"{scheme}://{shown}:{ports}")
    return list(found.values())


def host_of(instance: container_instance_pb2.ContainerInstance | None, *, here: str) -> str:
    """How to reach an instance's host from a machine named `here`: loopback where it is that machine, or where it is not known."""
    name = host_name(instance) if instance is not None else ""
    return "127.0.0.1" if name in {"", here} else name


def host_name(instance: container_instance_pb2.ContainerInstance) -> str:
    """The host's name, where its agent told one."""
    return next((attribute.value for attribute in instance.attributes if attribute.name == HOST_NAME), "")
