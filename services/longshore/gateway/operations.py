"""Which operations there are: every RPC of the three services that is not marked as Longshore's own.

Pure. Whoever adds an RPC to a service has added the operation of that name: its messages, its least role and the stub's method
are read from the descriptor, and nothing here names any of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from longshore.client import client as clients
from longshore.v1 import options_pb2, registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2

SERVICES: Mapping[str, ServiceDescriptor] = {
    "registry": registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    "scheduler": scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
    "state_tracker": state_tracker_service_pb2.DESCRIPTOR.services_by_name["StateTrackerService"],
}
"""The services by the name of their stub in `longshore.client`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of ECS's API that is answered here."""

    name: str
    stub: str
    """Which of the client's stubs has the method, by its attribute."""
    request: type[Message]
    role: int
    """The least role that may call it, by number: each role includes those below."""


Bound = Callable[..., Any]
"""A stub's method: what `Client.call` takes."""


def of_services(services: Mapping[str, ServiceDescriptor] = SERVICES) -> dict[str, Operation]:
    """The operations by name. Raises TypeError where the contract cannot be one of operations."""
    found: dict[str, Operation] = {}
    for stub, method in _offered(services):
        if method.client_streaming or method.server_streaming:
            raise TypeError(f"{method.full_name} is a stream: it cannot be an operation, and has to be longshore_rpc")
        if method.name in found:
            raise TypeError(f"two services have an operation {method.name}")
        found[method.name] = Operation(
            name=method.name,
            stub=stub,
            request=message_factory.GetMessageClass(method.input_type),
            role=_role(method),
        )
    return found


def bound(operations: Iterable[Operation], client: clients.Client) -> dict[str, Bound]:
    """The method of a client's stub for each operation, by name."""
    return {operation.name: getattr(getattr(client, operation.stub), operation.name) for operation in operations}


def _offered(services: Mapping[str, ServiceDescriptor]) -> Iterable[tuple[str, MethodDescriptor]]:
    for stub, service in services.items():
        for method in service.methods:
            if not method.GetOptions().Extensions[options_pb2.longshore_rpc]:
                yield stub, method


def _role(method: MethodDescriptor) -> int:
    given = int(method.GetOptions().Extensions[options_pb2.role])
    return given or options_pb2.ROLE_ADMIN
