from longshore.rpc import arns
from longshore.v1 import common_pb2, container_instance_pb2
from longshore.views import container_instance

PLACE = arns.Place(account="123456789012", region="eu-west-1")


def stored(**fields: object) -> container_instance.Stored:
    values = {
        "instance_id": "b" * 32,
        "cluster": "web",
        "status": container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE,
        "status_reason": "",
        "connected": True,
        "version": 4,
        "registered_at": 2_500_000,
        "body": container_instance_pb2.ContainerInstance(
            registered_resources=[
                common_pb2.Resource(name="CPU", type="INTEGER", integer_value=1024),
                common_pb2.Resource(name="MEMORY", type="INTEGER", integer_value=512),
                common_pb2.Resource(name="PORTS", type="STRINGSET", string_set_value=["22", "80"]),
                common_pb2.Resource(name="PORTS_UDP", type="STRINGSET"),
                common_pb2.Resource(name="disks", type="INTEGER", integer_value=3),
            ],
            tags=[common_pb2.Tag(key="k")],
        ),
    }
    return container_instance.Stored(**(values | fields))  # type: ignore[arg-type]  # fields of the test


def test_remaining_resources_list_the_ports_in_use_and_leave_unknown_resources_alone() -> None:
    usage = container_instance.Usage(
        cpu=300, memory=100, tcp_ports=frozenset({80, 8080, 443}), udp_ports=frozenset({53}), running=2, pending=1
    )
    shown = container_instance.render(stored(), usage, place=PLACE)
    assert {r.name: list(r.string_set_value) or r.integer_value for r in shown.remaining_resources} == {
        "CPU": 724,
        "MEMORY": 412,
        "PORTS": ["22", "80", "443", "8080"],
        "PORTS_UDP": ["53"],
        "disks": 3,
    }
    assert shown.registered_resources[0].integer_value == 1024
    assert (shown.running_tasks_count, shown.pending_tasks_count) == (2, 1)
    assert (shown.registered_at.seconds, shown.registered_at.nanos) == (2, 500_000_000)


def test_of_resources_by_name_remains_what_no_task_holds() -> None:
    body = container_instance_pb2.ContainerInstance(
        registered_resources=[
            common_pb2.Resource(name="GPU", type="STRINGSET", string_set_value=["a", "b", "c"]),
            common_pb2.Resource(name="licences", type="INTEGER", integer_value=3),
            common_pb2.Resource(name="bytes", type="LONG", long_value=3),
        ]
    )
    usage = container_instance.Usage(held={"GPU": frozenset({"b", "gone"}), "licences": 2, "bytes": 1})
    shown = container_instance.render(stored(body=body), usage, place=PLACE)
    gpus, licences, size = shown.remaining_resources
    assert (list(gpus.string_set_value), licences.integer_value, size.long_value) == (["a", "c"], 1, 2)


def test_the_stored_body_is_not_touched() -> None:
    before = stored()
    container_instance.render(before, container_instance.Usage(cpu=1), place=PLACE, health=True)
    assert before == stored()


def test_tags_and_health_are_shown_where_they_are_asked_for() -> None:
    plain = container_instance.render(stored(), container_instance.Usage(), place=PLACE)
    assert not plain.tags
    assert not plain.HasField("health_status")
    gone = stored(connected=False, connected_at=1, disconnected_at=9_000_000)
    full = container_instance.render(gone, container_instance.Usage(), place=PLACE, tags=True, health=True)
    assert [tag.key for tag in full.tags] == ["k"]
    (detail,) = full.health_status.details
    assert detail.status == container_instance_pb2.INSTANCE_HEALTH_CHECK_STATE_IMPAIRED
    assert detail.last_status_change.seconds == 9
