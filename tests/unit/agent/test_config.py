from pathlib import Path

import pytest

from longshore.agent import cleanup, resources, runtime, task_limits
from longshore.agent.settings import config
from longshore.rpc import settings


def parsed(*argv: str, **environ: str) -> config.Config:
    return settings.parse(config.Config, argv, environ)


def test_the_defaults_are_ecss() -> None:
    found = parsed()
    assert (found.cluster, found.introspection_port, found.cleanup_wait, found.stop_timeout) == (
        "default",
        51678,
        10800,
        30,
    )
    assert found.reserved_ports == ("22", "2375", "2376", "51678", "51679")
    assert found.image_pull_behavior == "default"


def test_all_faults_are_named_together() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        parsed(
            "--reserved-ports=22,ssh",
            "--instance-attributes=stack",
            "--instance-resources=licences=many",
            "--dynamic-ports=9-1",
            "--awsvpc-subnet=10.0.0.1/16",
            "--docker-host=/var/run/docker.sock",
        )
    assert [fault.split(":")[0].split(" ")[0] for fault in caught.value.faults] == [
        "LONGSHORE_RESERVED_PORTS",
        "LONGSHORE_INSTANCE_ATTRIBUTES",
        "LONGSHORE_INSTANCE_RESOURCES",
        "LONGSHORE_DYNAMIC_PORTS",
        "LONGSHORE_AWSVPC_SUBNET",
        "LONGSHORE_DOCKER_HOST",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100-200", range(100, 201)), ("7-7", range(7, 8)), ("", None), ("0-5", None), ("5", None), ("1-65536", None)],
)
def test_a_range_of_ports(text: str, expected: range | None) -> None:
    assert config.dynamic_range(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("licences=3", ("licences", 3)), ("CPU=4", None), ("GPU=1", None), ("=3", None), ("a=-1", None)],
)
def test_things_that_are_counted_have_names_that_the_agent_does_not_use_itself(
    text: str, expected: tuple[str, int] | None
) -> None:
    assert config.counted(text) == expected


def test_pairs_keep_what_follows_the_first_equals_sign() -> None:
    assert config.pairs(["a=1", "b = x=y"]) == {"a": "1", "b": "x=y"}


def test_state_lives_where_it_is_told_else_by_user() -> None:
    assert config.state_dir(parsed("--state-dir=/x"), {}) == Path("/x")
    assert config.state_dir(parsed(), {}, uid=0) == Path("/var/lib/longshore/agent")
    assert config.state_dir(parsed(), {"XDG_STATE_HOME": "/s"}, uid=0) == Path("/s/longshore/agent")
    assert config.state_dir(parsed(), {}, uid=1000) == Path.home() / ".local/state/longshore/agent"


def test_the_engine_is_the_flags_then_dockers_own_variables_then_the_usual_socket() -> None:
    assert config.docker_host(parsed("--docker-host=tcp://h:1"), {"DOCKER_HOST": "unix:///y"}) == "tcp://h:1"
    assert config.docker_host(parsed(), {"DOCKER_HOST": "unix:///y"}) == "unix:///y"
    assert config.docker_host(parsed(), {}) == "unix:///var/run/docker.sock"


ARN = "arn:aws:ecs:us-east-1:123456789012:container-instance/web/0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        ((f"--container-instance-arn={ARN}", "--cluster=web"), "go together"),
        (("--instance-credential-file=/c",), "go together"),
        ((f"--container-instance-arn={ARN}", "--instance-credential-file=/c"), "is of cluster web"),
        (("--container-instance-arn=abc", "--instance-credential-file=/c"), "not an ARN that names the cluster"),
        (("--container-instance-arn=arn:x", "--instance-credential-file=/c"), "Invalid arn syntax"),
    ],
)
def test_an_instance_to_take_over_needs_its_whole_arn_and_a_credential(argv: tuple[str, ...], fault: str) -> None:
    with pytest.raises(settings.SettingsError, match=fault):
        parsed(*argv)


def test_the_hosts_own_agent_logs_to_a_file_and_others_where_they_are_told() -> None:
    assert config.log_file(parsed(), {}, uid=0) == Path("/var/log/longshore/agent.log")
    assert config.log_file(parsed("--state-dir=/x"), {}, uid=0) is None
    assert config.log_file(parsed(), {"XDG_STATE_HOME": "/s"}, uid=0) is None
    assert config.log_file(parsed(), {}, uid=1000) is None
    assert config.log_file(parsed("--log-file=/y"), {}, uid=1000) == Path("/y")
    assert config.log_file(parsed("--log-file=-"), {}, uid=0) is None


@pytest.mark.parametrize(
    ("argv", "present", "absent"),
    [
        (
            (),
            {"capability.logging-driver.syslog", "capability.logging-driver.awslogs", "capability.selinux"},
            {"capability.apparmor"},
        ),
        (("--logging-drivers=json-file,gelf",), {"capability.logging-driver.none"}, {"capability.logging-driver.gelf"}),
        (
            ("--logging-drivers=json-file",),
            {"capability.logging-driver.json-file"},
            {"capability.logging-driver.syslog", "capability.logging-driver.awslogs"},
        ),
        (("--no-selinux-capable", "--apparmor-capable"), {"capability.apparmor"}, {"capability.selinux"}),
    ],
)
def test_the_operator_narrows_what_the_engine_offers(
    argv: tuple[str, ...], present: set[str], absent: set[str]
) -> None:
    engine = runtime.EngineInfo(
        engine_id="e",
        name="h",
        version="20.10",
        api_version=(1, 41),
        cpus=1,
        memory_bytes=2**30,
        os_type="linux",
        architecture="x86_64",
        logging_drivers=frozenset({"json-file", "syslog"}),
        security_options=frozenset({"selinux", "seccomp"}),
    )
    names = {
        attribute.name.removeprefix("com.amazonaws.ecs.")
        for attribute in resources.attributes(config.narrowed(engine, parsed(*argv)))
    }
    assert present <= names
    assert not absent & names


def test_removals_are_spread_over_all_of_the_jitter_and_stay_where_they_are() -> None:
    shares = [cleanup.share(f"{number:032x}") for number in range(200)]
    assert shares == [cleanup.share(f"{number:032x}") for number in range(200)]
    assert all(0 <= share < 1 for share in shares)
    assert min(shares) < 0.1
    assert max(shares) > 0.9


def test_the_period_of_a_tasks_limit_is_the_operators() -> None:
    limits = task_limits.TaskLimits(cpu_units=512, period_us=10_000)
    assert task_limits.files_of_v1(limits)["cpu"]["cpu.cfs_period_us"] == "10000"
    assert task_limits.files_of_v2(limits)["cpu.max"] == "5000 10000"
