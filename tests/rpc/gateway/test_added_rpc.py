"""An RPC that is added to a service is answered over HTTP, with nothing added to the gateway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from longshore.client import addresses
from longshore.client import client as clients
from longshore.gateway import answering, connections, listening, metrics, operations, pages, routes, wire
from longshore.metrics import exposition
from longshore.rpc import caller, channels, errors, server, tls
from longshore.v1 import options_pb2
from tests.rpc.gateway import world
from tests.rpc.rpc import tiny

TEXT = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
OPTIONAL = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL


def _added() -> ServiceDescriptor:
    """What a .proto file with one more service says."""
    file = descriptor_pb2.FileDescriptorProto(
        name="fleet.proto", package="longshore.added", syntax="proto3", dependency=["longshore/v1/options.proto"]
    )
    for name, member in (("CreateFleetRequest", "fleet_name"), ("CreateFleetResponse", "fleet_arn")):
        file.message_type.add(name=name).field.add(name=member, number=1, type=TEXT, label=OPTIONAL)
    rpc = file.service.add(name="FleetService").method.add(
        name="CreateFleet",
        input_type=".longshore.added.CreateFleetRequest",
        output_type=".longshore.added.CreateFleetResponse",
    )
    rpc.options.Extensions[options_pb2.role] = options_pb2.ROLE_RUN
    pool = descriptor_pool.DescriptorPool()
    for known in ("google/protobuf/descriptor.proto", "longshore/v1/options.proto"):
        copied = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(known).CopyToProto(copied)
        pool.Add(copied)
    pool.Add(file)
    return pool.FindServiceByName("longshore.added.FleetService")


@dataclass(slots=True)
class Fleet:
    """The service; it answers with the name it was given, or as it is told, and remembers who called."""

    method: MethodDescriptor
    failure: Exception | None = None
    callers: list[caller.Caller] = field(default_factory=list)

    async def create(self, request: Any, _: object) -> Message:
        self.callers.append(caller.current())
        if self.failure is not None:
            raise self.failure
        kind = message_factory.GetMessageClass(self.method.output_type)
        return kind(fleet_arn=f"arn:fleet/{request.fleet_name}")

    def handlers(self) -> Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]:
        asked = message_factory.GetMessageClass(self.method.input_type)
        return {
            self.method.name: grpc.unary_unary_rpc_method_handler(
                self.create,
                request_deserializer=asked.FromString,
                response_serializer=lambda made: made.SerializeToString(),
            )
        }


@dataclass(frozen=True, slots=True)
class Known:
    """Takes everybody for one."""

    principal: str = "access-key:AKIA"
    role: int = options_pb2.ROLE_RUN
    region: str = "eu-north-1"

    async def authenticate(self, _: wire.Request) -> "Known":
        return self


@contextlib.asynccontextmanager
async def gateway_of(described: ServiceDescriptor, fleet: Fleet, who: answering.Authenticator) -> AsyncIterator[str]:
    """The gateway's own parts, put together for other services; the address."""
    rpc = described.methods_by_name["CreateFleet"]
    registration = server.handlers(described.full_name, fleet.handlers())
    nowhere = ("127.0.0.1:1",)
    async with (
        server.serving(tiny.configuration("--listen=127.0.0.1:0", "--any-region"), [registration]) as serving,
        channels.connect(serving.address) as channel,
        clients.Client(addresses=addresses.Addresses(nowhere, nowhere, nowhere)) as client,
    ):
        stub: Any = channel.unary_unary(
            f"/{described.full_name}/{rpc.name}",
            request_serializer=lambda made: made.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(rpc.output_type).FromString,
        )
        measured = metrics.Metrics()
        answerer = answering.Answerer(
            client=client,
            authenticator=who,
            offered=operations.of_services({"fleet": described}),
            methods={rpc.name: stub},
            measured=measured,
        )
        shown = pages.Pages(channels={}, shown=exposition.Sources(), insecure=False)
        application = routes.Gateway(answerer=answerer, served=shown, new_id=lambda: "id")
        shared = connections.Shared(world.settings(client.addresses), measured)
        draining = asyncio.Event()
        address = tls.HostPort("127.0.0.1", 0)
        async with listening.listening(application, address, tls.Files(), shared, draining=draining) as bound:
            yield str(bound)


async def _asked(address: str, document: object) -> world.Answer:
    peer = await world.connect(address)
    try:
        return await peer.call("CreateFleet", document)
    finally:
        await peer.aclose()


async def test_it_is_called_in_the_callers_name_under_the_id_that_the_caller_sees() -> None:
    described = _added()
    fleet = Fleet(described.methods_by_name["CreateFleet"])
    async with gateway_of(described, fleet, Known()) as address:
        answer = await _asked(address, {"fleetName": "blue"})
    assert (answer.status, answer.json) == (200, {"fleetArn": "arn:fleet/blue"})
    assert fleet.callers == [
        caller.Caller("access-key:AKIA", request_id=answer.headers["x-amzn-requestid"], region="eu-north-1")
    ]


async def test_its_least_role_is_kept() -> None:
    described = _added()
    fleet = Fleet(described.methods_by_name["CreateFleet"])
    async with gateway_of(described, fleet, Known(role=options_pb2.ROLE_READ_ONLY)) as address:
        answer = await _asked(address, {"fleetName": "blue"})
    assert (answer.status, answer.reason) == (400, "AccessDeniedException")
    assert answer.json["message"] == (
        "access-key:AKIA is not authorized to perform: ecs:CreateFleet; "
        "its role is read-only, and the operation needs run."
    )
    assert fleet.callers == []


async def test_its_refusals_keep_their_names_and_its_faults_tell_nothing() -> None:
    described = _added()
    fleet = Fleet(described.methods_by_name["CreateFleet"])
    async with gateway_of(described, fleet, Known()) as address:
        fleet.failure = errors.LimitExceededException("Ten fleets are enough.")
        refused = await _asked(address, {})
        fleet.failure = RuntimeError("password=hunter2")
        failed = await _asked(address, {})
    assert (refused.status, refused.json) == (
        400,
        {"__type": "LimitExceededException", "message": "Ten fleets are enough."},
    )
    assert (failed.status, failed.reason) == (500, "ServerException")
    assert b"hunter2" not in failed.body


async def test_a_fault_of_the_gateways_own_is_an_error_id_that_its_log_explains(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        async def authenticate(self, _: wire.Request) -> Known:
            raise RuntimeError("password=hunter2")

    described = _added()
    fleet = Fleet(described.methods_by_name["CreateFleet"])
    async with gateway_of(described, fleet, Broken()) as address:
        answer = await _asked(address, {"fleetName": "secret"})
    assert (answer.status, answer.reason) == (500, "ServerException")
    assert b"hunter2" not in answer.body
    error_id = answer.json["message"].split()[2].rstrip(";")
    logged = capsys.readouterr().out
    assert error_id in logged
    assert "request_failed" in logged
    assert "fleetName" not in logged
