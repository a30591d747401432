from typing import Any

import pytest

from longshore.agent import runtime, task_events, task_state
from longshore.agent.docker import docker_values

F = task_events.Found
NEVER = "0001-01-01T00:00:00Z"


def inspected(status: str, **state: Any) -> dict[str, Any]:
    return {
        "Id": "abc",
        "Name": "/ecs-web-1-app-00",
        "Created": "2026-01-02T03:04:05.123456789Z",
        "Image": "sha256:1",
        "Config": {"Labels": {"a": "b"}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "32768"}], "53/udp": None}},
        "State": {"Status": status, "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER, **state},
    }


def test_a_running_container() -> None:
    found = docker_values.snapshot(
        inspected("running", StartedAt="2026-01-02T03:04:06Z", Health={"Status": "starting"})
    )
    assert found == runtime.ContainerSnapshot(
        runtime_id="abc",
        name="ecs-web-1-app-00",
        found=F.RUNNING,
        labels={"a": "b"},
        image_id="sha256:1",
        bindings=(task_state.Binding(80, 32768, "tcp", "0.0.0.0"),),
        health=task_state.Health.UNKNOWN,
        created_at=1_767_323_045_123_456,
        started_at=1_767_323_046_000_000,
    )


def test_an_ended_container_has_an_exit_code_and_a_time() -> None:
    found = docker_values.snapshot(
        inspected(
            "exited",
            ExitCode=137,
            OOMKilled=True,
            StartedAt="2026-01-02T03:04:06Z",
            FinishedAt="2026-01-02T03:04:07.5+01:00",
        )
    )
    assert (found.found, found.exit_code, found.out_of_memory) == (F.EXITED, 137, True)
    assert found.finished_at == 1_767_319_447_500_000


@pytest.mark.parametrize("status", ["created", "exited"])
def test_a_container_whose_process_never_began_has_no_exit_code(status: str) -> None:
    found = docker_values.snapshot(inspected(status, ExitCode=127, Error="no such file"))
    assert (found.found, found.exit_code, found.error) == (F.CREATED, None, "no such file")


def test_the_error_of_an_engine_that_was_going_down_is_no_error_of_the_container() -> None:
    error = "failed to update store for object type *libnetwork.endpoint: open : no such file or directory"
    found = docker_values.snapshot(inspected("created", ExitCode=128, Error=error))
    assert (found.found, found.error) == (F.CREATED, "")


@pytest.mark.parametrize("status", ["paused", "restarting"])
def test_what_is_paused_or_restarting_counts_as_running(status: str) -> None:
    assert docker_values.snapshot(inspected(status)).found is F.RUNNING


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", 1_767_323_045_000_000),
        ("2026-01-02T03:04:05.1Z", 1_767_323_045_100_000),
        ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456),
        ("2026-01-02T03:04:05+02:00", 1_767_315_845_000_000),
        (NEVER, 0),
        ("", 0),
        ("nonsense", 0),
    ],
)
def test_times_are_microseconds_of_any_precision(text: str, expected: int) -> None:
    assert docker_values.microseconds(text) == expected


@pytest.mark.parametrize(
    ("action", "attributes", "expected"),
    [
        ("die", {"exitCode": "3"}, runtime.ContainerNews("abc", "die", {"exitCode": "3"}, 3)),
        ("start", {}, runtime.ContainerNews("abc", "start")),
        ("destroy", {}, runtime.ContainerNews("abc", "destroy")),
        (
            "health_status: unhealthy",
            {},
            runtime.ContainerNews("abc", "health_status", {}, None, task_state.Health.UNHEALTHY),
        ),
        ("exec_start: sh", {}, None),
    ],
)
def test_events_are_news_or_nothing(action: str, attributes: dict[str, str], expected: object) -> None:
    data = {"Type": "container", "Action": action, "Actor": {"ID": "abc", "Attributes": attributes}}
    assert docker_values.news(data) == expected


def test_the_engine_describes_its_host() -> None:
    found = docker_values.engine_info(
        {
            "ID": "E",
            "Name": "host",
            "ServerVersion": "28.0",
            "NCPU": 4,
            "MemTotal": 8 << 30,
            "OSType": "linux",
            "Architecture": "aarch64",
            "Plugins": {"Log": ["json-file"]},
            "Runtimes": {"runc": {}, "nvidia": {}},
            "MemoryLimit": True,
            "SwapLimit": False,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=apparmor"],
        },
        {"ApiVersion": "1.48"},
    )
    assert (found.api_version, found.cpus, found.logging_drivers) == ((1, 48), 4, frozenset({"json-file"}))
    assert found.security_options == frozenset({"seccomp", "apparmor"})
    assert (found.lacks, found.runtimes) == (frozenset({"SwapLimit"}), frozenset({"runc", "nvidia"}))


def test_a_network_and_a_containers_place_in_it() -> None:
    found = docker_values.network(
        {
            "Name": "longshore",
            "Labels": None,
            "IPAM": {"Config": [{"Subnet": "172.24.0.0/16", "Gateway": "172.24.0.1"}]},
        }
    )
    assert found == runtime.NetworkSummary("longshore", {}, ("172.24.0.0/16",))
    assert docker_values.network({"Name": "none", "IPAM": {"Config": None}}).subnets == ()
    places = (runtime.NetworkAddress("longshore", ipv4=""), runtime.NetworkAddress("bridge", ipv4="172.17.0.2"))
    seen = runtime.ContainerSnapshot("id", "name", task_events.Found.RUNNING, {}, addresses=places)
    assert seen.address("longshore") is None
    assert seen.address("bridge") == places[1]
