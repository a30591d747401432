import pytest

from longshore.scheduler import overrides, requirements
from longshore.storage import ports
from longshore.v1 import common_pb2, task_definition_pb2, task_pb2

BRIDGE = task_definition_pb2.NETWORK_MODE_BRIDGE
HOST = task_definition_pb2.NETWORK_MODE_HOST
AWSVPC = task_definition_pb2.NETWORK_MODE_AWSVPC
UDP = task_definition_pb2.TRANSPORT_PROTOCOL_UDP


def container(name: str = "a", **fields: object) -> task_definition_pb2.ContainerDefinition:
    return task_definition_pb2.ContainerDefinition(name=name, **fields)  # type: ignore[arg-type]


def definition(
    *containers: task_definition_pb2.ContainerDefinition, **fields: object
) -> task_definition_pb2.TaskDefinition:
    return task_definition_pb2.TaskDefinition(container_definitions=containers, **fields)  # type: ignore[arg-type]


def override(**fields: object) -> task_pb2.TaskOverride:
    return task_pb2.TaskOverride(**fields)  # type: ignore[arg-type]


def test_the_containers_add_up_where_the_task_says_nothing() -> None:
    made = definition(container(cpu=100, memory=300), container("b", cpu=28, memory=200, memory_reservation=50))
    assert requirements.of(made, override()) == requirements.Needs(cpu=128, memory=350)


def test_the_tasks_own_amounts_win() -> None:
    made = definition(container(cpu=100, memory=300), cpu="512", memory="1024")
    assert requirements.of(made, override()) == requirements.Needs(cpu=512, memory=1024)


def test_overrides_are_laid_over_container_by_container_and_over_the_task() -> None:
    made = definition(container(cpu=100, memory=300), container("b", cpu=100, memory=300, memory_reservation=200))
    given = override(
        container_overrides=[
            task_pb2.ContainerOverride(name="a", cpu=0, memory_reservation=10),
            task_pb2.ContainerOverride(name="b", memory=250),
        ]
    )
    assert requirements.of(made, given) == requirements.Needs(cpu=100, memory=210)
    whole = requirements.of(made, override(cpu="1 vCPU", memory="2GB"))
    assert (whole.cpu, whole.memory) == (1024, 2048)


@pytest.mark.parametrize("network_mode", [BRIDGE, HOST])
def test_a_role_asks_nothing_of_the_instance(network_mode: "task_definition_pb2.NetworkMode.ValueType") -> None:
    made = definition(container(memory=300), task_role_arn="role", network_mode=network_mode)
    for name in ("task-iam-role", "task-iam-role-network-host"):
        made.requires_attributes.add(name=f"com.amazonaws.ecs.capability.{name}")
    assert requirements.of(made, override(task_role_arn="other", execution_role_arn="other")).attributes == ()


@pytest.mark.parametrize(
    ("given", "network_mode", "attribute"),
    [
        (override(cpu="512"), BRIDGE, "ecs.capability.task-cpu-mem-limit"),
        (override(memory="512"), BRIDGE, "ecs.capability.task-cpu-mem-limit"),
        (
            override(
                container_overrides=[
                    task_pb2.ContainerOverride(
                        name="a", environment_files=[task_definition_pb2.EnvironmentFile(value="a.env")]
                    )
                ]
            ),
            BRIDGE,
            "ecs.capability.env-files.s3",
        ),
    ],
)
def test_an_override_asks_of_the_instance_what_the_definition_would(
    given: task_pb2.TaskOverride, network_mode: "task_definition_pb2.NetworkMode.ValueType", attribute: str
) -> None:
    made = definition(container(memory=300), network_mode=network_mode)
    assert [each.name for each in requirements.of(made, given).attributes] == [attribute]


def test_static_ports_count_by_protocol_and_dynamic_ones_do_not() -> None:
    mappings = [
        task_definition_pb2.PortMapping(container_port=80, host_port=8080),
        task_definition_pb2.PortMapping(container_port=53, host_port=53, protocol=UDP),
        task_definition_pb2.PortMapping(container_port=90),
        task_definition_pb2.PortMapping(container_port=91, host_port=0),
    ]
    made = definition(container(memory=1, port_mappings=mappings), network_mode=BRIDGE)
    assert requirements.of(made, override()).ports == (ports.tcp(8080), ports.udp(53))


def test_on_the_hosts_network_a_container_port_is_the_hosts_and_with_an_address_of_its_own_none_is() -> None:
    mappings = [task_definition_pb2.PortMapping(container_port=80)]
    on_host = definition(container(memory=1, port_mappings=mappings), network_mode=HOST)
    assert requirements.of(on_host, override()).ports == (ports.tcp(80),)
    mappings = [task_definition_pb2.PortMapping(container_port=80, host_port=80)]
    on_its_own = definition(container(memory=1, port_mappings=mappings), network_mode=AWSVPC)
    needs = requirements.of(on_its_own, override())
    assert (needs.ports, needs.attributes) == ((), (requirements.Attribute(requirements.ENI_ATTRIBUTE),))


def test_attributes_come_from_the_definition_and_from_its_platform() -> None:
    made = definition(
        container(memory=1),
        requires_attributes=[common_pb2.Attribute(name="x"), common_pb2.Attribute(name="y", value="1")],
        runtime_platform=task_definition_pb2.RuntimePlatform(
            cpu_architecture=task_definition_pb2.CPU_ARCHITECTURE_ARM64,
            operating_system_family=task_definition_pb2.OS_FAMILY_LINUX,
        ),
    )
    assert [str(attribute) for attribute in requirements.of(made, override()).attributes] == [
        "ecs.cpu-architecture=arm64",
        "ecs.os-type=linux",
        "x",
        "y=1",
    ]


def test_equal_shapes_are_one_object() -> None:
    made = definition(container(cpu=7, memory=9))
    assert requirements.of(made, override()) is requirements.of(made, override())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (override(container_overrides=[task_pb2.ContainerOverride(name="nobody")]), "container named nobody"),
        (override(container_overrides=[task_pb2.ContainerOverride(name="a", memory=10)]), "below memoryReservation"),
        (override(memory="100"), "ask for 200 MiB of memory together, the task has 100 MiB"),
        (override(memory="250"), "memory (300 MiB) is above that of the task (250 MiB)"),
        (override(cpu="64"), "ask for 128 CPU units together, the task has 64"),
    ],
)
def test_overrides_that_the_definition_cannot_bear_are_named(given: task_pb2.TaskOverride, says: str) -> None:
    made = definition(container(cpu=128, memory=300, memory_reservation=200))
    assert any(says in fault for fault in overrides.faults(made, given))


def test_a_definition_without_overrides_has_no_fault() -> None:
    made = definition(container(cpu=128, memory=300, memory_reservation=200))
    assert tuple(overrides.faults(made, override())) == ()


def test_ports_survive_their_column() -> None:
    taken = (ports.tcp(80), ports.tcp(8080), ports.udp(53))
    assert ports.to_column(reversed(taken)) == "80/tcp,8080/tcp,53/udp"
    assert ports.from_column(ports.to_column(taken)) == taken
    assert (ports.to_column(()), ports.from_column(None)) == (None, ())
