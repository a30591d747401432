from typing import Any

import pytest

from longshore.agent import container_names, container_spec, ports, task_state, volumes
from longshore.v1 import task_definition_pb2 as definition_pb2
from longshore.v1 import task_pb2

OWNER = container_names.Owner("i" * 32, "arn:aws:ecs:eu-west-1:123456789012:container-instance/blue/" + "i" * 32, "h")
TASK = container_names.TaskNames("f" * 32, "blue", "web", 7)
MIB = 1024 * 1024


def body(
    container: definition_pb2.ContainerDefinition,
    override: task_pb2.ContainerOverride | None = None,
    bindings: tuple[task_state.Binding, ...] = (),
    address: str = "",
    **task: Any,
) -> dict[str, Any]:
    definition = definition_pb2.TaskDefinition(container_definitions=[container], **task)
    return container_spec.body(
        definition,
        container,
        override,
        owner=OWNER,
        task=TASK,
        bindings=bindings,
        stop_timeout_s=30,
        publish_address=address,
    )


def app(**members: Any) -> definition_pb2.ContainerDefinition:
    return definition_pb2.ContainerDefinition(name="app", image="busybox", **members)


def test_a_task_for_fargate_is_told_so() -> None:
    assert "AWS_EXECUTION_ENV=AWS_ECS_FARGATE" in container_spec.environment(app(), None, fargate=True)


def test_the_smallest_container_is_asked_for_as_ecs_asks() -> None:
    made = body(app())
    assert made["Image"] == "busybox"
    assert made["HostConfig"] == {"CpuShares": 2, "NetworkMode": "bridge"}
    assert made["Env"] == ["AWS_EXECUTION_ENV=AWS_ECS_EC2", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"]
    assert "Cmd" not in made
    assert "Entrypoint" not in made


@pytest.mark.parametrize(("cpu", "shares"), [(0, 2), (1, 2), (2, 2), (512, 512), (500_000, 262_144)])
def test_cpu_is_a_weight_between_two_and_the_kernels_most(cpu: int, shares: int) -> None:
    assert body(app(cpu=cpu))["HostConfig"]["CpuShares"] == shares


@pytest.mark.parametrize(("memory", "limit"), [(1, 4 * MIB), (4, 4 * MIB), (6, 6 * MIB), (512, 512 * MIB)])
def test_memory_is_a_limit_in_bytes_of_at_least_four_mebibytes(memory: int, limit: int) -> None:
    assert body(app(memory=memory))["HostConfig"]["Memory"] == limit


def test_a_reservation_is_no_limit() -> None:
    host = body(app(memory_reservation=128))["HostConfig"]
    assert host["MemoryReservation"] == 128 * MIB
    assert "Memory" not in host


def test_swap_counts_on_top_of_memory_and_swappiness_only_with_it() -> None:
    linux = definition_pb2.LinuxParameters(max_swap=50, swappiness=10)
    host = body(app(memory=100, linux_parameters=linux))["HostConfig"]
    assert (host["MemorySwap"], host["MemorySwappiness"]) == (150 * MIB, 10)
    lone = definition_pb2.LinuxParameters(swappiness=10)
    assert "MemorySwappiness" not in body(app(memory=100, linux_parameters=lone))["HostConfig"]


def test_overrides_win_by_name_and_replace_the_command() -> None:
    container = app(cpu=10, memory=64, memory_reservation=32)
    container.command.values.extend(["a", "b"])
    for name, value in (("A", "1"), ("B", "2")):
        container.environment.add(name=name, value=value)
    override = task_pb2.ContainerOverride(name="app", cpu=20, memory=128)
    override.environment.add(name="B", value="3")
    override.environment.add(name="C", value="4")
    override.command.values.extend(["z"])
    made = body(container, override)
    assert made["Cmd"] == ["z"]
    assert made["Env"][:3] == ["A=1", "B=3", "C=4"]
    assert made["HostConfig"]["CpuShares"] == 20
    assert made["HostConfig"]["Memory"] == 128 * MIB
    assert made["HostConfig"]["MemoryReservation"] == 32 * MIB


def test_an_empty_list_is_not_an_absent_one() -> None:
    container = app()
    container.entry_point.SetInParent()
    assert body(container)["Entrypoint"] == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (definition_pb2.NETWORK_MODE_UNSPECIFIED, "bridge"),
        (definition_pb2.NETWORK_MODE_BRIDGE, "bridge"),
        (definition_pb2.NETWORK_MODE_HOST, "host"),
        (definition_pb2.NETWORK_MODE_NONE, "none"),
    ],
)
def test_network_modes_are_dockers(mode: definition_pb2.NetworkMode.ValueType, expected: str) -> None:
    assert body(app(), network_mode=mode)["HostConfig"]["NetworkMode"] == expected


def test_ports_are_exposed_and_bound_where_they_are_published() -> None:
    bindings = (task_state.Binding(80, 32768, "tcp", "0.0.0.0"), task_state.Binding(53, 5353, "udp", "0.0.0.0"))
    made = body(app(), bindings=bindings, address="127.0.0.1")
    assert made["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert made["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}],
    }


def test_on_the_hosts_network_nothing_is_bound() -> None:
    bindings = (task_state.Binding(80, 80, "tcp", "0.0.0.0"),)
    made = body(app(), bindings=bindings, network_mode=definition_pb2.NETWORK_MODE_HOST)
    assert "PortBindings" not in made["HostConfig"]


def test_our_labels_win_and_name_task_instance_and_definition() -> None:
    labels = body(app(docker_labels={"team": "a", "com.longshore.task-id": "lie"}))["Labels"]
    assert labels["team"] == "a"
    assert labels["com.longshore.task-id"] == "f" * 32
    assert labels["com.longshore.container-instance"] == "i" * 32
    assert labels["com.amazonaws.ecs.task-arn"] == "arn:aws:ecs:eu-west-1:123456789012:task/blue/" + "f" * 32
    assert labels["com.amazonaws.ecs.task-definition-version"] == "7"


def test_names_are_ecss_and_the_same_every_time() -> None:
    name = container_names.container_name(TASK, "my_app!")
    assert name == container_names.container_name(TASK, "my_app!")
    assert name.startswith("ecs-web-7-myapp-")
    assert name != container_names.container_name(container_names.TaskNames("e" * 32, "blue", "web", 7), "my_app!")
    assert name != container_names.container_name(TASK, "myapp")


def test_host_volumes_are_bound_and_nameless_ones_live_with_the_task() -> None:
    container = app()
    container.mount_points.add(source_volume="logs", container_path="/logs", read_only=True)
    container.mount_points.add(source_volume="scratch", container_path="/tmp")
    declared = [
        definition_pb2.Volume(name="logs", host=definition_pb2.HostVolumeProperties(source_path="/var/log")),
        definition_pb2.Volume(name="scratch"),
    ]
    own = container_names.volume_name(TASK, "scratch")
    assert body(container, volumes=declared)["HostConfig"]["Binds"] == ["/var/log:/logs:ro", f"{own}:/tmp"]
    assert volumes.of_task(definition_pb2.TaskDefinition(volumes=declared), TASK) == (own,)


def test_links_and_volumes_from_name_the_other_container() -> None:
    container = app(links=["db:database", "cache"])
    container.volumes_from.add(source_container="db", read_only=True)
    host = body(container)["HostConfig"]
    db, cache = (container_names.container_name(TASK, name) for name in ("db", "cache"))
    assert host["Links"] == [f"{db}:database", f"{cache}:cache"]
    assert host["VolumesFrom"] == [f"{db}:ro"]


def test_rights_limits_and_kernel_settings_go_through() -> None:
    container = app(
        privileged=True,
        readonly_root_filesystem=True,
        docker_security_options=["no-new-privileges"],
        dns_servers=["10.0.0.2"],
        dns_search_domains=["example.org"],
        user="1000:1000",
        working_directory="/srv",
        hostname="web",
        pseudo_terminal=True,
        interactive=True,
        linux_parameters=definition_pb2.LinuxParameters(
            capabilities=definition_pb2.KernelCapabilities(add=["NET_ADMIN"], drop=["ALL"]),
            devices=[definition_pb2.Device(host_path="/dev/fuse")],
            init_process_enabled=True,
            shared_memory_size=64,
            tmpfs=[definition_pb2.Tmpfs(container_path="/run", size=16, mount_options=["noexec"])],
        ),
    )
    container.extra_hosts.add(hostname="db", ip_address="10.0.0.3")
    container.ulimits.add(name=definition_pb2.ULIMIT_NAME_NOFILE, soft_limit=10, hard_limit=20)
    container.system_controls.add(namespace="net.core.somaxconn", value="99")
    made = body(container)
    host = made["HostConfig"]
    assert (made["User"], made["WorkingDir"], made["Hostname"], made["Tty"], made["OpenStdin"]) == (
        "1000:1000",
        "/srv",
        "web",
        True,
        True,
    )
    assert {key: host[key] for key in host if key not in {"CpuShares", "NetworkMode"}} == {
        "Privileged": True,
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
        "Dns": ["10.0.0.2"],
        "DnsSearch": ["example.org"],
        "ExtraHosts": ["db:10.0.0.3"],
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["ALL"],
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        "Init": True,
        "ShmSize": 64 * MIB,
        "Tmpfs": {"/run": "size=16m,noexec"},
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "Sysctls": {"net.core.somaxconn": "99"},
    }


def test_a_log_that_does_not_block_is_bounded() -> None:
    configuration = definition_pb2.LogConfiguration(log_driver="gelf", options={"mode": "non-blocking"})
    assert body(app(log_configuration=configuration))["HostConfig"]["LogConfig"] == {
        "Type": "gelf",
        "Config": {"mode": "non-blocking", "max-buffer-size": "10m"},
    }


def test_mappings_without_a_host_port_are_dynamic_but_not_on_the_hosts_network() -> None:
    container = app()
    container.port_mappings.add(container_port=80)
    container.port_mappings.add(container_port=53, host_port=5353, protocol=definition_pb2.TRANSPORT_PROTOCOL_UDP)
    bridge = ports.wanted(container, definition_pb2.NETWORK_MODE_BRIDGE)
    assert bridge == (ports.Wanted(80, 0, "tcp"), ports.Wanted(53, 5353, "udp"))
    assert ports.wanted(container, definition_pb2.NETWORK_MODE_HOST)[0].host_port == 80
