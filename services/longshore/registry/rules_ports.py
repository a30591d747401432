"""Rules about a container's ports and its network: ecs.md section 1.2 under the network modes of 1.1. Pure."""

import ipaddress
import re
from collections.abc import Callable, Iterator

from longshore.registry import paths, rule
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Container
from longshore.v1 import task_definition_pb2

_BRIDGE = task_definition_pb2.NETWORK_MODE_BRIDGE
_HOST = task_definition_pb2.NETWORK_MODE_HOST
_AWSVPC = task_definition_pb2.NETWORK_MODE_AWSVPC
_NONE = task_definition_pb2.NETWORK_MODE_NONE

MAX_PORT = 65_535
MAX_RANGES = 100
MAX_PORT_NAME = 64

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_PORT_NAME = re.compile(rf"[a-z0-9_][a-z0-9_-]{{0,{MAX_PORT_NAME - 1}}}", re.ASCII)
_SEARCH_DOMAIN = re.compile(r"[a-zA-Z0-9.-]{0,253}[a-zA-Z0-9]", re.ASCII)
_LINK = re.compile(r"(?P<name>[A-Za-z0-9_-]+)(:(?P<alias>[A-Za-z0-9_-]+))?", re.ASCII)


def port_range(text: str) -> tuple[int, int] | None:
    """First and last port of `8000-8010`; None where it is not two ports in ascending order."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    return (first, last) if 1 <= first < last <= MAX_PORT else None


def linked(link: str) -> str | None:
    """Name of the container of a link `name[:alias]`; None where it is no link."""
    match = _LINK.fullmatch(link)
    return match["name"] if match else None


def _in_mode(mode: task_definition_pb2.NetworkMode.ValueType, path: str) -> Callable[[Container], Iterator[Found]]:
    """A check: nothing is given at the path in this mode."""

    def check(container: Container) -> Iterator[Found]:
        if container.definition.network_mode == mode:
            yield from rule.absent(path)(container)

    return check


def _outside_bridge(container: Container) -> Iterator[Found]:
    if container.definition.network_mode != _BRIDGE:
        yield from rule.absent("links")(container)


def _neither_port_nor_range(container: Container) -> Iterator[Found]:
    for index, mapping in enumerate(container.message.port_mappings):
        if mapping.HasField("container_port") == mapping.HasField("container_port_range"):
            yield Found(f"portMappings[{index}].containerPort", mapping.container_port or None)


def _other_host_port(container: Container) -> Iterator[Found]:
    if container.definition.network_mode not in {_HOST, _AWSVPC}:
        return
    for index, mapping in enumerate(container.message.port_mappings):
        if mapping.host_port and mapping.HasField("container_port") and mapping.host_port != mapping.container_port:
            yield Found(f"portMappings[{index}].hostPort", mapping.host_port, {"port": mapping.container_port})


def _host_port_of_range(container: Container) -> Iterator[Found]:
    for index, mapping in enumerate(container.message.port_mappings):
        if mapping.HasField("container_port_range") and mapping.host_port:
            yield Found(f"portMappings[{index}].hostPort", mapping.host_port)


def _range_in_other_mode(container: Container) -> Iterator[Found]:
    if container.definition.network_mode not in {_BRIDGE, _AWSVPC}:
        for place in paths.values(container.message, "portMappings[].containerPortRange"):
            if place.value is not None:
                yield Found(place.where, place.value)


def _too_many_ranges(container: Container) -> Iterator[Found]:
    ranges = [mapping for mapping in container.message.port_mappings if mapping.HasField("container_port_range")]
    if len(ranges) > MAX_RANGES:
        yield Found("portMappings", list(container.message.port_mappings), {"count": len(ranges)})


def _repeated_container_port(container: Container) -> Iterator[Found]:
    """A container's port may occur once, alone or in a range, and not for two protocols."""
    taken = bytearray(MAX_PORT + 1)
    for index, mapping in enumerate(container.message.port_mappings):
        if mapping.HasField("container_port_range"):
            field, value = "containerPortRange", mapping.container_port_range
            ports = port_range(mapping.container_port_range)
        else:
            field, value = "containerPort", str(mapping.container_port)
            ports = (mapping.container_port,) * 2 if 1 <= mapping.container_port <= MAX_PORT else None
        if ports is None:
            continue
        first, end = ports[0], ports[1] + 1
        if taken.find(1, first, end) >= 0:
            yield Found(f"portMappings[{index}].{field}", value)
        taken[first:end] = b"\1" * (end - first)


def _repeated_host_port(container: Container) -> Iterator[Found]:
    """A fixed host port belongs to one mapping of the task, per protocol; in host mode ECS leaves that to the containers."""
    if container.definition.network_mode != _BRIDGE:
        return
    seen: dict[tuple[int, int], str] = {}
    for position, other in enumerate(container.definition.message.container_definitions):
        for index, mapping in enumerate(other.port_mappings):
            key = (mapping.host_port, mapping.protocol or task_definition_pb2.TRANSPORT_PROTOCOL_TCP)
            if mapping.host_port and key in seen and position == container.index:
                yield Found(f"portMappings[{index}].hostPort", mapping.host_port, {"other": seen[key]})
            seen.setdefault(key, other.name)


def _is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def _unknown_link(container: Container) -> Iterator[Found]:
    for index, link in enumerate(container.message.links):
        name = linked(link)
        if name is not None and (name not in container.definition.by_name or name == container.message.name):
            yield Found(f"links[{index}]", link)


RULES: tuple[Rule[Container], ...] = (
    Rule(
        "ports-in-none-mode",
        "ecs.md 1.1",
        _in_mode(_NONE, "portMappings"),
        "must be left out with networkMode 'none'",
    ),
    Rule(
        "port-given",
        "ecs.md 1.2",
        _neither_port_nor_range,
        "must be given, or containerPortRange instead of it",
    ),
    Rule(
        "container-port",
        "ecs.md 1.2",
        rule.each("portMappings[].containerPort", rule.between(1, MAX_PORT)),
        f"must be between 1 and {MAX_PORT}",
    ),
    Rule(
        "host-port",
        "ecs.md 1.2",
        rule.each("portMappings[].hostPort", rule.between(0, MAX_PORT)),
        f"must be between 0 (any free port) and {MAX_PORT}",
    ),
    Rule(
        "host-port-equals-container-port",
        "ecs.md 1.1",
        _other_host_port,
        "must be left out or equal containerPort, {port}, with networkMode 'host' or 'awsvpc'",
    ),
    Rule(
        "host-port-once", "ecs.md 1.2", _repeated_host_port, "must be used once in a task (container '{other}' has it)"
    ),
    Rule(
        "port-range-form",
        "ecs.md 1.2",
        rule.each("portMappings[].containerPortRange", lambda text: port_range(str(text)) is not None),
        f"must be 'FIRST-LAST' with FIRST below LAST, between 1 and {MAX_PORT}",
    ),
    Rule(
        "port-range-network-mode",
        "ecs.md 1.2",
        _range_in_other_mode,
        "must be left out unless networkMode is 'bridge' or 'awsvpc'",
    ),
    Rule(
        "port-range-host-port", "ecs.md 1.2", _host_port_of_range, "must be left out where containerPortRange is given"
    ),
    Rule(
        "port-ranges-count",
        "ecs.md 1.2",
        _too_many_ranges,
        f"must have at most {MAX_RANGES} ranges ({{count}} are given)",
    ),
    Rule(
        "container-port-once",
        "ecs.md 1.2",
        _repeated_container_port,
        "must be mapped once in a container, for one protocol",
    ),
    Rule(
        "port-name",
        "ecs.md 1.2",
        rule.each("portMappings[].name", lambda name: _PORT_NAME.fullmatch(str(name)) is not None),
        f"must be at most {MAX_PORT_NAME} lower-case letters, digits, underscores and hyphens, and not begin with a hyphen",
    ),
    Rule(
        "hostname-in-awsvpc", "ecs.md 1.2", _in_mode(_AWSVPC, "hostname"), "must be left out with networkMode 'awsvpc'"
    ),
    Rule(
        "dns-servers-in-awsvpc",
        "ecs.md 1.2",
        _in_mode(_AWSVPC, "dnsServers"),
        "must be left out with networkMode 'awsvpc'",
    ),
    Rule(
        "dns-search-domains-in-awsvpc",
        "ecs.md 1.2",
        _in_mode(_AWSVPC, "dnsSearchDomains"),
        "must be left out with networkMode 'awsvpc'",
    ),
    Rule(
        "extra-hosts-in-awsvpc",
        "ecs.md 1.2",
        _in_mode(_AWSVPC, "extraHosts"),
        "must be left out with networkMode 'awsvpc'",
    ),
    Rule("dns-server", "ecs.md 1.2", rule.each("dnsServers[]", _is_address), "must be an IP address"),
    Rule(
        "dns-search-domain",
        "ecs.md 1.2",
        rule.each("dnsSearchDomains[]", lambda domain: _SEARCH_DOMAIN.fullmatch(str(domain)) is not None),
        "must be at most 254 letters, digits, dots and hyphens, ending with a letter or digit",
    ),
    Rule("extra-host-name", "ecs.md 1.2", rule.required("extraHosts[].hostname"), "must be a host's name"),
    Rule("extra-host-address-required", "ecs.md 1.2", rule.required("extraHosts[].ipAddress"), "must be an IP address"),
    Rule(
        "extra-host-address",
        "ecs.md 1.2",
        rule.each("extraHosts[].ipAddress", lambda text: not text or _is_address(text)),
        "must be an IP address",
    ),
    Rule("links-outside-bridge", "ecs.md 1.2", _outside_bridge, "must be left out unless networkMode is 'bridge'"),
    Rule(
        "link-form",
        "ecs.md 1.2",
        rule.each("links[]", lambda link: linked(str(link)) is not None),
        "must be 'name' or 'name:alias'",
    ),
    Rule("link-known", "ecs.md 1.2", _unknown_link, "must name another container of the task"),
)
