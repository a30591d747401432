"""Operations are what the descriptors of the services say, and nothing else."""

from typing import Any

import pytest
from botocore import session
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from longshore.gateway import operations
from longshore.v1 import options_pb2, scheduler_service_pb2


def service(*methods: descriptor_pb2.MethodDescriptorProto, name: str = "FleetService") -> ServiceDescriptor:
    """A service with these methods, beside a copy of nothing else."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"test/{name}.proto", package="longshore.test", syntax="proto3", dependency=["longshore/v1/options.proto"]
    )
    for message in ("AskRequest", "AskResponse"):
        made = file.message_type.add(name=message)
        made.field.add(name="cluster_name", number=1, type=9, label=1)
    file.service.add(name=name).method.extend(methods)
    pool = descriptor_pool.DescriptorPool()
    for known in ("google/protobuf/descriptor.proto", "longshore/v1/options.proto"):
        copied = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(known).CopyToProto(copied)
        pool.Add(copied)
    pool.Add(file)
    return pool.FindServiceByName(f"longshore.test.{name}")


def method(
    name: str, *, role: int = 0, ours: bool = False, stream: bool = False
) -> descriptor_pb2.MethodDescriptorProto:
    made = descriptor_pb2.MethodDescriptorProto(
        name=name,
        input_type=".longshore.test.AskRequest",
        output_type=".longshore.test.AskResponse",
        server_streaming=stream,
    )
    marks: Any = made.options.Extensions
    if role:
        marks[options_pb2.role] = role
    if ours:
        marks[options_pb2.longshore_rpc] = True
    return made


def test_every_operation_is_one_of_ecs_and_each_of_its_rpcs_is_an_operation() -> None:
    found = operations.of_services()
    known = set(session.get_session().get_service_model("ecs").operation_names)
    assert set(found) <= known
    unmarked = {
        rpc.name
        for described in operations.SERVICES.values()
        for rpc in described.methods
        if not rpc.GetOptions().Extensions[options_pb2.longshore_rpc]
    }
    assert set(found) == unmarked
    assert {"CreateCluster", "RunTask", "DescribeTasks", "ListTagsForResource"} <= set(found)


def test_an_operation_has_the_messages_the_stub_and_the_least_role_of_its_rpc() -> None:
    run = operations.of_services()["RunTask"]
    assert run == operations.Operation(
        name="RunTask", stub="scheduler", request=scheduler_service_pb2.RunTaskRequest, role=options_pb2.ROLE_RUN
    )


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("ListTasks", options_pb2.ROLE_READ_ONLY),
        ("StopTask", options_pb2.ROLE_RUN),
        ("DeleteCluster", options_pb2.ROLE_ADMIN),
    ],
)
def test_the_least_role_is_that_of_the_contract_and_admin_where_it_says_none(name: str, role: int) -> None:
    assert operations.of_services()[name].role == role


def test_an_rpc_that_is_added_is_an_operation() -> None:
    described = service(method("AskFleet", role=options_pb2.ROLE_READ_ONLY), method("SpyFleet", ours=True))
    found = operations.of_services({"fleet": described})
    assert list(found) == ["AskFleet"]
    assert (found["AskFleet"].stub, found["AskFleet"].role) == ("fleet", options_pb2.ROLE_READ_ONLY)
    assert found["AskFleet"].request.DESCRIPTOR.full_name == "longshore.test.AskRequest"


def test_a_stream_has_to_be_marked() -> None:
    assert operations.of_services({"fleet": service(method("WatchFleet", stream=True, ours=True))}) == {}
    with pytest.raises(TypeError, match="WatchFleet is a stream"):
        operations.of_services({"fleet": service(method("WatchFleet", stream=True))})


def test_two_services_cannot_have_one_operation() -> None:
    described = {name: service(method("AskFleet"), name=name) for name in ("OneService", "OtherService")}
    with pytest.raises(TypeError, match="two services have an operation AskFleet"):
        operations.of_services(described)
