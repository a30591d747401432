"""The network interface of a task in network mode awsvpc as ECS shows it: its attachment, and each container's. Pure."""

import hashlib
import uuid
from collections.abc import Mapping

from longshore.v1 import agent_service_pb2, common_pb2, record_pb2, task_pb2

TYPE = "ElasticNetworkInterface"
PRECREATED = "PRECREATED"
ATTACHED = "ATTACHED"
DELETED = "DELETED"

_INTERFACE_DIGITS = 17
"""As many as AWS's ids of interfaces have."""


def render(
    task_id: str,
    asked: record_pb2.TaskIntentRecord,
    seen: agent_service_pb2.TaskObservation | None,
    *,
    stopped: bool,
) -> list[common_pb2.Attachment]:
    """The task's attachments: one where it was asked for a network, which only tasks with an address of their own are."""
    if not asked.HasField("network_configuration"):
        return []
    has_address = seen is not None and seen.HasField("network_interface")
    status = DELETED if stopped else ATTACHED if has_address else PRECREATED
    subnets = asked.network_configuration.awsvpc_configuration.subnets
    details = {"subnetId": subnets[0] if subnets else ""}
    if seen is not None and has_address:
        told = seen.network_interface
        details |= {
            "networkInterfaceId": f"eni-{_digest(task_id, 'interface').hex()[:_INTERFACE_DIGITS]}",
            "macAddress": told.mac_address,
            "privateIPv4Address": told.private_ipv4_address,
        }
    return [common_pb2.Attachment(id=identifier(task_id), type=TYPE, status=status, details=_pairs(details))]


def interfaces(task_id: str, seen: agent_service_pb2.TaskObservation | None) -> list[task_pb2.NetworkInterface]:
    """What each container of the task shows of it: they share the one interface."""
    if seen is None or not seen.HasField("network_interface"):
        return []
    address = seen.network_interface.private_ipv4_address
    return [task_pb2.NetworkInterface(attachment_id=identifier(task_id), private_ipv4_address=address)]


def identifier(task_id: str) -> str:
    """Id of the attachment: a function of the task's, so that every component renders the same and none stores it."""
    return str(uuid.UUID(bytes=_digest(task_id, "attachment")[:16], version=4))


def _digest(task_id: str, what: str) -> bytes:
    # No container can be called so: names have no colon.
    return hashlib.sha256(f"{task_id}/:{what}".encode()).digest()


def _pairs(details: Mapping[str, str]) -> list[common_pb2.KeyValuePair]:
    return [common_pb2.KeyValuePair(name=name, value=value) for name, value in details.items() if value]
