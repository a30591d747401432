import dataclasses

import pytest

from longshore.agent import pausing, resources, runtime

ENGINE = runtime.EngineInfo(
    engine_id="E",
    name="host-1",
    version="28.2.2",
    api_version=(1, 50),
    cpus=4,
    memory_bytes=8 << 30,
    os_type="linux",
    architecture="aarch64",
    logging_drivers=frozenset({"json-file", "awslogs", "local"}),
    security_options=frozenset({"seccomp", "apparmor"}),
    volume_drivers=frozenset({"local", "rexray"}),
)
CAPABILITY = "com.amazonaws.ecs.capability."


def test_amounts_are_ecss_and_the_engines() -> None:
    found = {r.name: r for r in resources.total_resources(ENGINE, reserved_memory_mib=256, reserved_udp_ports=[53])}
    assert found["CPU"].integer_value == 4096
    assert found["MEMORY"].integer_value == 8192 - 256
    assert list(found["PORTS"].string_set_value) == ["22", "2375", "2376", "51678", "51679"]
    assert list(found["PORTS_UDP"].string_set_value) == ["53"]
    assert [r.type for r in found.values()] == ["INTEGER", "INTEGER", "STRINGSET", "STRINGSET"]


def test_reserving_everything_is_refused_with_the_numbers() -> None:
    with pytest.raises(resources.NothingLeft, match=r"9000 MiB of memory are reserved .* 8192 MiB in all"):
        resources.total_resources(ENGINE, reserved_memory_mib=9000)


def test_attributes_say_what_the_host_can_honour_and_nothing_else() -> None:
    found = {a.name: a.value for a in resources.attributes(ENGINE, custom={"stack": "blue"})}
    assert found["ecs.os-type"] == "linux"
    assert found["ecs.cpu-architecture"] == "arm64"
    assert found["longshore.hostname"] == "host-1"
    assert found["stack"] == "blue"
    assert {f"{CAPABILITY}docker-remote-api.1.{level}" for level in (17, 25, 44)} <= found.keys()
    assert {
        f"{CAPABILITY}{name}"
        for name in ("logging-driver.json-file", "logging-driver.awslogs", "apparmor", "privileged-container")
    } <= found.keys()
    absent = ("logging-driver.journald", "logging-driver.local", "selinux", "task-iam-role", "docker-remote-api.1.45")
    assert not {f"{CAPABILITY}{name}" for name in absent} & found.keys()
    assert {name.removeprefix("ecs.capability.") for name in found if name.startswith("ecs.capability.")} == {
        "container-health-check",
        "container-ordering",
        "container-restart-policy",
        "execution-role-awslogs",
        "firelens.fluentbit",
        "firelens.fluentd",
        "network.container-port-range",
        "docker-plugin.local",
        "docker-plugin.rexray",
    }


@pytest.mark.parametrize(
    ("shared", "offered"),
    [
        (pausing.NOTHING, set()),
        (pausing.Offered(namespaces=True, addresses=False), {"pid-ipc-namespace-sharing"}),
        (pausing.Offered(namespaces=True, addresses=True), {"pid-ipc-namespace-sharing", "task-eni"}),
    ],
)
def test_what_tasks_may_share_is_offered_where_it_can_be_made(shared: pausing.Offered, offered: set[str]) -> None:
    names = {a.name.removeprefix("ecs.capability.") for a in resources.attributes(ENGINE, shared=shared)}
    assert names & {"pid-ipc-namespace-sharing", "task-eni"} == offered


def test_an_old_engine_offers_only_its_own_levels_and_privileges_can_be_withheld() -> None:
    old = runtime.EngineInfo("E", "h", "18", (1, 24), 1, 1 << 30, "linux", "x86_64")
    names = {a.name for a in resources.attributes(old, privileged=False)}
    assert f"{CAPABILITY}docker-remote-api.1.24" in names
    assert f"{CAPABILITY}docker-remote-api.1.25" not in names
    assert f"{CAPABILITY}privileged-container" not in names


@pytest.mark.parametrize(
    ("lacks", "version", "offered"),
    [((), 1, {"swap-limit", "swappiness"}), ((), 2, {"swap-limit"}), (("SwapLimit",), 1, set())],
)
def test_what_the_engine_would_discard_of_swap_is_not_offered(
    lacks: tuple[str, ...], version: int, offered: set[str]
) -> None:
    engine = dataclasses.replace(ENGINE, lacks=frozenset(lacks), cgroup_version=version)
    prefix = "longshore.capability."
    names = {each.name for each in resources.attributes(engine)}
    assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == offered
