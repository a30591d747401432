"""ECS's variables and config.json, in our words."""

import json
from pathlib import Path

import pytest
from scripts import agent_settings

from longshore.agent.settings import config, ecs_settings, setting_forms
from longshore.rpc import settings

CARRIED_OVER = [
    ("ECS_CLUSTER", "web", "cluster", "web"),
    ("ECS_CLUSTER", "arn:aws:ecs:us-east-1:123456789012:cluster/web", "cluster", "web"),
    ("ECS_DATADIR", "/data/", "state_dir", Path("/data/")),
    ("ECS_DISABLE_METRICS", "true", "statistics", False),
    ("ECS_POLLING_METRICS_WAIT_DURATION", "15s", "statistics_interval", 15),
    ("ECS_TASK_METADATA_RPS_LIMIT", "100,150", "task_metadata_rps_limit", ("100", "150")),
    ("ECS_RESERVED_MEMORY", "32", "reserved_memory", 32),
    ("ECS_RESERVED_PORTS", "[22, 80]", "reserved_ports", ("22", "80")),
    ("ECS_RESERVED_PORTS", "[]", "reserved_ports", ()),
    ("ECS_RESERVED_PORTS_UDP", "[53]", "reserved_ports_udp", ("53",)),
    ("ECS_DYNAMIC_HOST_PORT_RANGE", "100-200", "dynamic_ports", "100-200"),
    ("ECS_INSTANCE_ATTRIBUTES", '{"stack": "a,b", "x": ""}', "instance_attributes", ("stack=a,b", "x=")),
    ("ECS_CONTAINER_INSTANCE_TAGS", '{"owner": "x=y"}', "instance_tags", ("owner=x=y",)),
    ("ECS_AVAILABLE_LOGGING_DRIVERS", '["json-file","none"]', "logging_drivers", ("json-file", "none")),
    ("ECS_DISABLE_PRIVILEGED", "true", "privileged", False),
    ("ECS_DISABLE_PRIVILEGED", "F", "privileged", True),
    ("ECS_SELINUX_CAPABLE", "true", "selinux_capable", True),
    ("ECS_APPARMOR_CAPABLE", "false", "apparmor_capable", False),
    ("ECS_SHARED_VOLUME_MATCH_FULL_CONFIG", "true", "shared_volume_match_full_config", True),
    ("ECS_ENABLE_TASK_CPU_MEM_LIMIT", "0", "task_cpu_mem_limit", False),
    ("ECS_CGROUP_CPU_PERIOD", "10ms", "cgroup_cpu_period_ms", 10),
    ("ECS_TASK_PIDS_LIMIT", "100", "task_pids_limit", 100),
    ("ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT", "true", "pull_dependent_containers_upfront", True),
    ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", "1h30m", "cleanup_wait", 5400),
    ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER", "10m", "cleanup_wait_jitter", 600),
    ("ECS_CONTAINER_STOP_TIMEOUT", "1500ms", "stop_timeout", 2),
    ("ECS_CONTAINER_START_TIMEOUT", "45s", "start_timeout", 45),
    ("ECS_CONTAINER_CREATE_TIMEOUT", "10m", "create_timeout", 600),
    ("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached", "image_pull_behavior", "prefer-cached"),
    ("ECS_IMAGE_PULL_INACTIVITY_TIMEOUT", "2m", "image_pull_inactivity_timeout", 120),
    ("ECS_IMAGE_PULL_TIMEOUT", "1h", "image_pull_timeout", 3600),
    ("ECS_DISABLE_IMAGE_CLEANUP", "true", "image_cleanup", False),
    ("ECS_IMAGE_CLEANUP_INTERVAL", "15m", "image_cleanup_interval", 900),
    ("ECS_IMAGE_MINIMUM_CLEANUP_AGE", "90m", "image_minimum_cleanup_age", 5400),
    ("ECS_NUM_IMAGES_DELETE_PER_CYCLE", "7", "images_deleted_per_cycle", 7),
    ("ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP", "true", "untracked_image_cleanup", True),
    ("NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE", "2h", "untracked_image_minimum_cleanup_age", 7200),
    ("ECS_EXCLUDE_UNTRACKED_IMAGE", "a:1,b", "excluded_images", ("a:1", "b")),
    ("ECS_LOGLEVEL", "warn", "log_level", "warning"),
    ("ECS_LOGLEVEL", "crit", "log_level", "error"),
    ("ECS_LOGFILE", "/log/ecs-agent.log", "log_file", Path("/log/ecs-agent.log")),
    ("ECS_LOG_OUTPUT_FORMAT", "json", "log_format", "json"),
    ("ECS_LOG_MAX_FILE_SIZE_MB", "10", "log_max_file_size_mb", 10),
    ("ECS_LOG_MAX_ROLL_COUNT", "24", "log_max_roll_count", 24),
]


def parsed(**variables: str) -> config.Config:
    found = ecs_settings.translate(variables)
    assert found.faults == ()
    return settings.parse(config.Config, (), found.values)


@pytest.mark.parametrize(("name", "value", "field", "expected"), CARRIED_OVER)
def test_a_setting_carries_over(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(parsed(**{name: value}), field) == expected


def test_credentials_carry_over() -> None:
    document = '{"https://registry.example": {"auth": "dTpw"}}'
    found = parsed(ECS_ENGINE_AUTH_TYPE="dockercfg", ECS_ENGINE_AUTH_DATA=document)
    assert (found.engine_auth_type, found.engine_auth_data) == ("dockercfg", document)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("ECS_CONTAINER_STOP_TIMEOUT", "500ms", "ECS_CONTAINER_STOP_TIMEOUT is '500ms': must be at least 1s"),
        ("ECS_CONTAINER_START_TIMEOUT", "44s", "must be at least 45s"),
        ("ECS_CONTAINER_CREATE_TIMEOUT", "59s", "must be at least 1m"),
        ("ECS_TASK_PIDS_LIMIT", "0", "must be at least 1"),
        ("ECS_TASK_PIDS_LIMIT", "4194305", "must be at most 4194304"),
        ("ECS_CGROUP_CPU_PERIOD", "7ms", "must be at least 8ms"),
        ("ECS_CGROUP_CPU_PERIOD", "101ms", "must be at most 100ms"),
        ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", "999ms", "must be at least 1s"),
        ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", "3 hours", "not a duration"),
        ("ECS_RESERVED_MEMORY", "-1", "must be at least 0"),
        ("ECS_RESERVED_MEMORY", "much", "not a whole number"),
        ("ECS_RESERVED_PORTS", "22,80", "not a JSON list"),
        ("ECS_RESERVED_PORTS", '["22"]', "not a number"),
        ("ECS_RESERVED_PORTS", "[true]", "not a number"),
        ("ECS_RESERVED_PORTS", "[65536]", "not a port"),
        ("ECS_INSTANCE_ATTRIBUTES", '["a"]', "not a JSON object"),
        ("ECS_INSTANCE_ATTRIBUTES", '{"a": 1}', "the value of 'a' is not a text"),
        ("ECS_AVAILABLE_LOGGING_DRIVERS", "json-file", "not a JSON list"),
        ("ECS_DISABLE_PRIVILEGED", "yes", "neither true nor false"),
        ("ECS_IMAGE_PULL_BEHAVIOR", "sometimes", "must be one of default, always, once, prefer-cached"),
        ("ECS_LOGLEVEL", "loud", "must be one of"),
        ("ECS_LOG_MAX_FILE_SIZE_MB", "0", "must be at least 1"),
    ],
)
def test_what_is_out_of_bounds_is_named_as_ecs_names_it(name: str, value: str, fault: str) -> None:
    (found,) = ecs_settings.translate({name: value}).faults
    assert found.startswith(name)
    assert fault in found


def test_a_secret_is_in_no_fault() -> None:
    rules = [name for name, rule in ecs_settings.RULES.items() if rule.secret]
    assert rules == ["ECS_ENGINE_AUTH_DATA"]


@pytest.mark.parametrize(
    ("text", "expected"), [("3h", 10800), ("1h30m", 5400), ("1.5s", 1.5), ("100ms", 0.1), ("0", 0), ("2µs", 2e-6)]
)
def test_gos_durations(text: str, expected: float) -> None:
    assert setting_forms.duration(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "3", "3x", "h", "-1s", "1h 30m", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(setting_forms.Malformed, match="not a duration"):
        setting_forms.duration(text)


def test_what_says_nothing_here_and_what_nobody_knows_are_told_apart() -> None:
    found = ecs_settings.translate(
        {"ECS_CHECKPOINT": "true", "ECS_COFFEE": "x", "HOME": "/", "ECS_UPDATES_ENABLED": ""}
    )
    assert (found.without_effect, found.unknown) == (("ECS_CHECKPOINT",), ("ECS_COFFEE",))


def test_every_rule_leads_to_a_setting_and_no_name_has_two_meanings() -> None:
    ours = set(settings.names(config.Config))
    assert {rule.ours for rule in ecs_settings.RULES.values()} <= ours
    assert ecs_settings.RULES.keys().isdisjoint(ecs_settings.WITHOUT_EFFECT)
    assert {name for name, _, _, _ in CARRIED_OVER} | {"ECS_ENGINE_AUTH_TYPE", "ECS_ENGINE_AUTH_DATA"} == set(
        ecs_settings.RULES
    )


def test_ecss_config_json_carries_over() -> None:
    document = {
        "Cluster": "web",
        "ReservedPorts": [22],
        "ReservedMemory": 64,
        "TaskCleanupWaitDuration": 60_000_000_000,
        "PrivilegedDisabled": True,
        "ImagePullBehavior": 2,
        "InstanceAttributes": {"stack": "prod"},
        "EngineAuthType": "dockercfg",
        "EngineAuthData": {"https://r.example": {"auth": "dTpw"}},
        "AWSRegion": "us-west-2",
        "ClusterArn": None,
    }
    found = parsed(**ecs_settings.of_json(document))
    assert found.cluster == "web"
    assert found.reserved_ports == ("22",)
    assert found.reserved_memory == 64
    assert found.cleanup_wait == 60
    assert not found.privileged
    assert found.image_pull_behavior == "once"
    assert found.instance_attributes == ("stack=prod",)
    assert json.loads(found.engine_auth_data) == document["EngineAuthData"]


def test_members_of_config_json_without_a_setting_are_told_apart_as_their_variables_are() -> None:
    variables = ecs_settings.of_json({"Checkpoint": True, "Coffee": 1, "DockerEndpoint": "unix:///d.sock"})
    found = ecs_settings.translate(variables)
    assert (found.without_effect, found.unknown) == (("ECS_CHECKPOINT",), ("ECS_Coffee",))
    assert variables["DOCKER_HOST"] == "unix:///d.sock"


def test_the_guide_and_the_example_have_every_setting_as_the_code_has_it() -> None:
    text = agent_settings.GUIDE.read_text()
    assert agent_settings.guide(text) == text, "run: make settings"
    assert agent_settings.EXAMPLE.read_text() == agent_settings.example(), "run: make settings"
    names = {settings.variable(name) for name in settings.names(config.Config)}
    names |= ecs_settings.RULES.keys() | ecs_settings.WITHOUT_EFFECT.keys()
    assert {name for name in names if f"| `{name}` |" not in text} == set()
