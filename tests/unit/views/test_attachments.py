import uuid

import pytest

from longshore.v1 import agent_service_pb2, common_pb2, record_pb2
from longshore.views import attachments

TASK = "f" * 32
ADDRESS = agent_service_pb2.TaskNetworkInterface(mac_address="02:42:0a:58:00:02", private_ipv4_address="10.88.0.2")


def asked(*subnets: str) -> record_pb2.TaskIntentRecord:
    network = common_pb2.NetworkConfiguration(
        awsvpc_configuration=common_pb2.AwsVpcConfiguration(subnets=subnets) if subnets else None
    )
    return record_pb2.TaskIntentRecord(network_configuration=network)


def test_a_task_that_was_asked_for_without_a_network_has_no_attachment() -> None:
    assert attachments.render(TASK, record_pb2.TaskIntentRecord(), None, stopped=False) == []
    assert attachments.interfaces(TASK, agent_service_pb2.TaskObservation()) == []


@pytest.mark.parametrize(
    ("seen", "stopped", "status"),
    [
        (None, False, "PRECREATED"),
        (agent_service_pb2.TaskObservation(), False, "PRECREATED"),
        (agent_service_pb2.TaskObservation(network_interface=ADDRESS), False, "ATTACHED"),
        (agent_service_pb2.TaskObservation(network_interface=ADDRESS), True, "DELETED"),
        (None, True, "DELETED"),
    ],
)
def test_an_attachment_is_where_its_task_is(
    seen: agent_service_pb2.TaskObservation | None,
    stopped: bool,  # noqa: FBT001 - a parameter of the test
    status: str,
) -> None:
    (shown,) = attachments.render(TASK, asked("subnet-1", "subnet-2"), seen, stopped=stopped)
    assert (shown.type, shown.status) == ("ElasticNetworkInterface", status)
    assert str(uuid.UUID(shown.id)) == shown.id
    details = {pair.name: pair.value for pair in shown.details}
    assert details.pop("subnetId") == "subnet-1"
    if seen is None or not seen.HasField("network_interface"):
        assert details == {}
        return
    assert details.pop("networkInterfaceId").startswith("eni-")
    assert details == {"macAddress": "02:42:0a:58:00:02", "privateIPv4Address": "10.88.0.2"}
    (interface,) = attachments.interfaces(TASK, seen)
    assert (interface.attachment_id, interface.private_ipv4_address) == (shown.id, "10.88.0.2")


def test_a_subnet_may_be_left_out() -> None:
    (shown,) = attachments.render(TASK, asked(), None, stopped=False)
    assert list(shown.details) == []
