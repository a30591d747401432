"""What may be said of a container instance: resources, attributes, states; and what a change of them gives. Pure.

Limits and texts are ECS's (reference: attributes, tags and container instances of its API).
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from longshore.rpc import errors
from longshore.v1 import common_pb2, container_instance_pb2

# Custom attributes of one instance, and attributes of one call.
MAX_ATTRIBUTES = 10
MAX_ATTRIBUTES_PER_CALL = 10
MAX_DESCRIBED = 100
MAX_UPDATED = 10
MAX_PORT = 65_535
# What is kept of the texts by which a host describes itself.
MAX_TEXT = 255
# Faults told at once: a request may have any number of them.
MAX_TOLD = 20

# Attributes with these names come from the agent: they say what the host is.
_BUILT_IN = ("ecs.", "com.amazonaws.ecs.")
_NAME = re.compile(r"[A-Za-z0-9\-_/\\.]{1,128}")
_VALUE = re.compile(r"[A-Za-z0-9\-_.@/\\: ]{1,128}")

_REQUIRED = ("CPU", "MEMORY")
_PORT_SETS = frozenset({"PORTS", "PORTS_UDP"})
_TYPES = {
    "INTEGER": "integer_value",
    "LONG": "long_value",
    "DOUBLE": "double_value",
    "STRINGSET": "string_set_value",
}

_ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
_DRAINING = container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
STATES = frozenset({_ACTIVE, _DRAINING})
INSTANCE_TYPE = "ecs.instance-type"


def is_built_in(name: str) -> bool:
    """Whether an attribute's name is one of those that only the agent sets."""
    return name.startswith(_BUILT_IN)


def check_resources(resources: Sequence[common_pb2.Resource]) -> None:
    """Refuse totals that placement could not count with."""
    faults = [*itertools.islice(_resource_faults(resources), MAX_TOLD)]
    if faults:
        raise errors.InvalidParameterException("totalResources: " + " ".join(faults))


def machine_id(document: str) -> str:
    """The machine's id in EC2's identity document, which is believed as far as any word of a host; empty where there is none."""
    if not document:
        return ""
    try:
        read = json.loads(document)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise errors.InvalidParameterException("instanceIdentityDocument is not a JSON object.")
    found = read.get("instanceId", "")
    if not isinstance(found, str) or len(found) > MAX_TEXT:
        raise errors.InvalidParameterException(
            f"instanceId of the instanceIdentityDocument is not a text of at most {MAX_TEXT} characters."
        )
    return found


def check_versions(versions: common_pb2.VersionInfo) -> None:
    """Refuse versions that are longer than versions are."""
    for name, text in (
        ("agentVersion", versions.agent_version),
        ("agentHash", versions.agent_hash),
        ("dockerVersion", versions.docker_version),
    ):
        if len(text) > MAX_TEXT:
            raise errors.InvalidParameterException(f"versionInfo: {name} has more than {MAX_TEXT} characters.")


def check_attributes(attributes: Sequence[common_pb2.Attribute]) -> None:
    """Refuse names and values that ECS does not take, and names that occur twice."""
    faults = [*itertools.islice(_attribute_faults(attributes), MAX_TOLD)]
    if faults:
        raise errors.InvalidParameterException(" ".join(faults))


def check_custom_limit(attributes: Iterable[common_pb2.Attribute]) -> None:
    """Refuse more custom attributes than an instance may have."""
    count = sum(not is_built_in(attribute.name) for attribute in attributes)
    if count > MAX_ATTRIBUTES:
        raise errors.AttributeLimitExceededException(
            f"A container instance can have {MAX_ATTRIBUTES} custom attributes; this would make {count}."
        )


def check_state(status: int) -> None:
    """Refuse a state that UpdateContainerInstancesState cannot set."""
    if status not in STATES:
        raise errors.InvalidParameterException("Container instances status should be one of [ACTIVE, DRAINING].")


def check_own_draining(status: int, ids: Sequence[str]) -> None:
    """Refuse whatever an instance's credential gives no right to: all but the draining of that instance."""
    if status != container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING or len(ids) != 1:
        raise errors.AccessDeniedException(
            "With an instance's credential that one instance can be set DRAINING, and nothing else."
        )


def check_same_type(before: Iterable[common_pb2.Attribute], now: Iterable[common_pb2.Attribute]) -> None:
    """Refuse a registration of the same instance on another kind of machine, as ECS does."""
    was, is_ = _value(before, INSTANCE_TYPE), _value(now, INSTANCE_TYPE)
    if was is not None and is_ is not None and was != is_:
        raise errors.InvalidParameterException(
            f"Container instance type changes are not supported: it was registered as {was} and is now {is_}."
        )


def registered_attributes(
    before: Iterable[common_pb2.Attribute], now: Iterable[common_pb2.Attribute]
) -> list[common_pb2.Attribute]:
    """The attributes after a registration: the agent's built-in ones as they are now, custom ones as they were.

    Custom attributes of the request count at the first registration only, when there was nothing before.
    """
    kept = {attribute.name: attribute for attribute in before if not is_built_in(attribute.name)}
    told = {attribute.name: attribute for attribute in now if is_built_in(attribute.name)}
    return _sorted({**kept, **told}.values())


def with_attributes(
    before: Iterable[common_pb2.Attribute], put: Iterable[common_pb2.Attribute]
) -> list[common_pb2.Attribute]:
    """The attributes after some were put. Raises AttributeLimitExceededException."""
    after = {attribute.name: attribute for attribute in before}
    after.update({attribute.name: bare(attribute) for attribute in put})
    check_custom_limit(after.values())
    return _sorted(after.values())


def bare(attribute: common_pb2.Attribute) -> common_pb2.Attribute:
    """Name and value of an attribute, without its target."""
    kept = common_pb2.Attribute(name=attribute.name)
    if attribute.HasField("value"):
        kept.value = attribute.value
    return kept


def _resource_faults(resources: Sequence[common_pb2.Resource]) -> Iterable[str]:
    names = [resource.name for resource in resources]
    for name in _REQUIRED:
        if name not in names:
            yield f"{name} is missing."
    for name in _doubled(names):
        yield f"{name[:MAX_TEXT]} occurs more than once."
    for resource in resources:
        field = _TYPES.get(resource.type)
        if not resource.name or field is None:
            named = resource.name[:MAX_TEXT] or "a resource without name"
            yield f"{named} has type {resource.type[:MAX_TEXT]!r}, not one of {', '.join(_TYPES)}."
        elif resource.name in _REQUIRED and (resource.type != "INTEGER" or resource.integer_value < 0):
            yield f"{resource.name} must be an INTEGER of at least 0."
        elif resource.name in _PORT_SETS and not (
            resource.type == "STRINGSET" and all(_is_port(port) for port in resource.string_set_value)
        ):
            yield f"{resource.name} must be a STRINGSET of ports between 1 and {MAX_PORT}."


def _doubled(names: Sequence[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _attribute_faults(attributes: Sequence[common_pb2.Attribute]) -> Iterable[str]:
    names = [attribute.name for attribute in attributes]
    for name in _doubled(names):
        yield f"Attribute {name[:128]!r} occurs more than once."
    for attribute in attributes:
        if not _NAME.fullmatch(attribute.name):
            yield f"Attribute name {attribute.name[:128]!r} must have 1 to 128 letters, digits and the characters - _ / \\ ."
        value = attribute.value
        if attribute.HasField("value") and (not _VALUE.fullmatch(value) or value != value.strip()):
            yield (
                f"The value of attribute {attribute.name[:128]!r} must have 1 to 128 letters, digits and the characters "
                "- _ . @ / \\ : and inner spaces."
            )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_PORT


def _value(attributes: Iterable[common_pb2.Attribute], name: str) -> str | None:
    return next((attribute.value for attribute in attributes if attribute.name == name), None)


def _sorted(attributes: Iterable[common_pb2.Attribute]) -> list[common_pb2.Attribute]:
    return sorted(attributes, key=lambda attribute: attribute.name)
