"""Clients that know nothing of the contract but what a server tells of itself by reflection."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.engines.missing import missing

GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
TOOLS = Path(__file__).parents[2] / ".build" / "tools"
BUILD_BOUND_S = 240.0
"""The first build downloads and compiles some hundred packages; later ones find it there."""

CALL_BOUND_S = 30.0


class ReflectingClient(Protocol):
    """Calls methods by name, with JSON in and out."""

    def services(self, address: str) -> set[str]:
        """Names of the services of a server."""

    def call(self, address: str, service: str, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a method."""


class Grpcurl:
    """The command-line tool of that name, built as a Go module."""

    def __init__(self) -> None:
        if shutil.which("go") is None:
            missing("no Go on this machine to build grpcurl with")
        self._program = TOOLS / "grpcurl"
        if not self._program.exists():
            environ = os.environ | {"GOBIN": str(TOOLS)}
            built = subprocess.run(
                ["go", "install", GRPCURL],
                env=environ,
                capture_output=True,
                text=True,
                timeout=BUILD_BOUND_S,
                check=False,
            )
            if built.returncode:
                missing(f"grpcurl cannot be built: {built.stderr[-500:]}")

    def services(self, address: str) -> set[str]:
        """What `list` prints."""
        return set(self._run(address, "list").split())

    def call(self, address: str, service: str, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a method."""
        answer: dict[str, Any] = json.loads(self._run("-d", json.dumps(request), address, f"{service}/{method}"))
        return answer

    def _run(self, *words: str) -> str:
        command = [str(self._program), "-plaintext", "-max-time", f"{CALL_BOUND_S:.0f}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_BOUND_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Generic:
    """Reads the descriptors by reflection, and makes the messages' classes of them at run time."""

    def services(self, address: str) -> set[str]:
        """What the server lists."""
        with grpc.insecure_channel(address) as channel:
            (answer,) = self._ask(channel, reflection_pb2.ServerReflectionRequest(list_services=""))
            return {service.name for service in answer.list_services_response.service}

    def call(self, address: str, service: str, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a method."""
        with grpc.insecure_channel(address) as channel:
            described = self._pool(channel, service).FindServiceByName(service).FindMethodByName(method)
            asked = message_factory.GetMessageClass(described.input_type)()
            answer_class = message_factory.GetMessageClass(described.output_type)
            json_format.ParseDict(request, asked)
            invoke = channel.unary_unary(
                f"/{service}/{method}",
                request_serializer=_serialised,
                response_deserializer=answer_class.FromString,
            )
            answer: dict[str, Any] = json_format.MessageToDict(invoke(asked, timeout=CALL_BOUND_S))
            return answer

    def _pool(self, channel: grpc.Channel, symbol: str) -> descriptor_pool.DescriptorPool:
        """A pool with a service's file and all that it imports, and nothing of ours."""
        pool = descriptor_pool.DescriptorPool()
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        (answer,) = self._ask(channel, request)
        known: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        pending = list(answer.file_descriptor_response.file_descriptor_proto)
        while pending:
            file = descriptor_pb2.FileDescriptorProto.FromString(pending.pop())
            known[file.name] = file
            for name in set(file.dependency) - known.keys():
                (answer,) = self._ask(channel, reflection_pb2.ServerReflectionRequest(file_by_filename=name))
                pending.extend(answer.file_descriptor_response.file_descriptor_proto)
        for file in _imported_first(known):
            pool.Add(file)
        return pool

    def _ask(
        self, channel: grpc.Channel, request: reflection_pb2.ServerReflectionRequest
    ) -> list[reflection_pb2.ServerReflectionResponse]:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        return list(stub.ServerReflectionInfo(iter([request]), timeout=CALL_BOUND_S))  # type: ignore[operator]  # typing does not know its methods


def member(message: dict[str, Any], name: str) -> Any:
    """A member by its name in the proto: where a descriptor carries no JSON name, clients differ in whether they make one up."""
    first, *rest = name.split("_")
    return message.get(name, message.get(first + "".join(part.capitalize() for part in rest)))


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()


def _imported_first(
    known: dict[str, descriptor_pb2.FileDescriptorProto],
) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    """The files, each after those that it imports."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[descriptor_pb2.FileDescriptorProto]:
        if name not in done:
            done.add(name)
            for imported in known[name].dependency:
                yield from visit(imported)
            yield known[name]

    for name in known:
        yield from visit(name)
