"""The settings of ECS's agent, as ours take them: names, forms and bounds. Pure.

An ECS host's configuration carries over: each variable of ECS's agent either has a rule here, which says what our setting is called and how
its value is written, or is known to say nothing on this agent, with why. docs/guides/agent.md has both as a table; a test holds it to this
module.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.agent import pulls
from longshore.agent.docker import registry_credentials
from longshore.agent.settings import setting_forms as forms
from longshore.rpc import settings

PREFIXES = ("ECS_", "NON_ECS_")


@dataclass(frozen=True, slots=True)
class Rule:
    """How a variable of ECS's agent becomes a setting of ours."""

    ours: str
    """Field of our configuration."""
    form: forms.Form = forms.plain
    member: str = ""
    """Its name in ECS's config.json, where it has one."""
    secret: bool = False

    @property
    def variable(self) -> str:
        """Our variable."""
        return settings.variable(self.ours)


RULES: Mapping[str, Rule] = {
    "ECS_CLUSTER": Rule("cluster", forms.cluster, "Cluster"),
    "ECS_DATADIR": Rule("state_dir", forms.plain, "DataDir"),
    "ECS_RESERVED_MEMORY": Rule("reserved_memory", forms.whole(), "ReservedMemory"),
    "ECS_RESERVED_PORTS": Rule("reserved_ports", forms.port_list, "ReservedPorts"),
    "ECS_RESERVED_PORTS_UDP": Rule("reserved_ports_udp", forms.port_list, "ReservedPortsUDP"),
    "ECS_DYNAMIC_HOST_PORT_RANGE": Rule("dynamic_ports"),
    "ECS_INSTANCE_ATTRIBUTES": Rule("instance_attributes", forms.pairs, "InstanceAttributes"),
    "ECS_CONTAINER_INSTANCE_TAGS": Rule("instance_tags", forms.pairs, "ContainerInstanceTags"),
    "ECS_AVAILABLE_LOGGING_DRIVERS": Rule("logging_drivers", forms.words, "AvailableLoggingDrivers"),
    "ECS_DISABLE_PRIVILEGED": Rule("privileged", forms.untruth, "PrivilegedDisabled"),
    "ECS_SELINUX_CAPABLE": Rule("selinux_capable", forms.truth, "SELinuxCapable"),
    "ECS_APPARMOR_CAPABLE": Rule("apparmor_capable", forms.truth, "AppArmorCapable"),
    "ECS_SHARED_VOLUME_MATCH_FULL_CONFIG": Rule(
        "shared_volume_match_full_config", forms.truth, "SharedVolumeMatchFullConfig"
    ),
    "ECS_ENABLE_TASK_CPU_MEM_LIMIT": Rule("task_cpu_mem_limit", forms.truth, "TaskCPUMemLimit"),
    "ECS_CGROUP_CPU_PERIOD": Rule(
        "cgroup_cpu_period_ms", forms.milliseconds(least="8ms", most="100ms"), "CgroupCPUPeriod"
    ),
    "ECS_TASK_PIDS_LIMIT": Rule("task_pids_limit", forms.whole(least=1, most=4_194_304), "TaskPidsLimit"),
    "ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT": Rule(
        "pull_dependent_containers_upfront", forms.truth, "DependentContainersPullUpfront"
    ),
    "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION": Rule("cleanup_wait", forms.seconds(least="1s"), "TaskCleanupWaitDuration"),
    "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER": Rule(
        "cleanup_wait_jitter", forms.seconds(), "TaskCleanupWaitDurationJitter"
    ),
    "ECS_CONTAINER_STOP_TIMEOUT": Rule("stop_timeout", forms.seconds(least="1s"), "DockerStopTimeout"),
    "ECS_CONTAINER_START_TIMEOUT": Rule("start_timeout", forms.seconds(least="45s"), "ContainerStartTimeout"),
    "ECS_CONTAINER_CREATE_TIMEOUT": Rule("create_timeout", forms.seconds(least="1m"), "ContainerCreateTimeout"),
    "ECS_IMAGE_PULL_BEHAVIOR": Rule(
        "image_pull_behavior", forms.one_of(*(behavior.value for behavior in pulls.Behavior)), "ImagePullBehavior"
    ),
    "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT": Rule(
        "image_pull_inactivity_timeout", forms.seconds(least="1m"), "ImagePullInactivityTimeout"
    ),
    "ECS_IMAGE_PULL_TIMEOUT": Rule("image_pull_timeout", forms.seconds(least="1m"), "ImagePullTimeout"),
    "ECS_DISABLE_IMAGE_CLEANUP": Rule("image_cleanup", forms.untruth, "ImageCleanupDisabled"),
    "ECS_IMAGE_CLEANUP_INTERVAL": Rule("image_cleanup_interval", forms.seconds(least="10m"), "ImageCleanupInterval"),
    "ECS_IMAGE_MINIMUM_CLEANUP_AGE": Rule("image_minimum_cleanup_age", forms.seconds(), "MinimumImageDeletionAge"),
    "ECS_NUM_IMAGES_DELETE_PER_CYCLE": Rule(
        "images_deleted_per_cycle", forms.whole(least=1), "NumImagesToDeletePerCycle"
    ),
    "ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP": Rule("untracked_image_cleanup", forms.truth, "DeleteNonECSImagesEnabled"),
    "NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE": Rule(
        "untracked_image_minimum_cleanup_age", forms.seconds(), "NonECSMinimumImageDeletionAge"
    ),
    "ECS_EXCLUDE_UNTRACKED_IMAGE": Rule("excluded_images", member="ImageCleanupExclusionList"),
    "ECS_ENGINE_AUTH_TYPE": Rule(
        "engine_auth_type",
        forms.one_of(*(kind for kind in registry_credentials.AUTH_TYPES if kind)),
        "EngineAuthType",
    ),
    "ECS_ENGINE_AUTH_DATA": Rule("engine_auth_data", forms.plain, "EngineAuthData", secret=True),
    "ECS_DISABLE_METRICS": Rule("statistics", forms.untruth, "DisableMetrics"),
    "ECS_POLLING_METRICS_WAIT_DURATION": Rule(
        "statistics_interval", forms.seconds(least="5s", most="20s"), "PollingMetricsWaitDuration"
    ),
    "ECS_TASK_METADATA_RPS_LIMIT": Rule("task_metadata_rps_limit"),
    "ECS_LOGLEVEL": Rule("log_level", forms.level),
    "ECS_LOGFILE": Rule("log_file"),
    "ECS_LOG_OUTPUT_FORMAT": Rule("log_format", forms.one_of("logfmt", "json")),
    "ECS_LOG_MAX_FILE_SIZE_MB": Rule("log_max_file_size_mb", forms.whole(least=1)),
    "ECS_LOG_MAX_ROLL_COUNT": Rule("log_max_roll_count", forms.whole()),
}
"""Variables that mean something here."""

_AWS = "asks AWS for something that is not there"
_WINDOWS = "is for Windows"
_INIT = "is for ecs-init, which starts ECS's agent; see deploy/agent"
_CONTAINER = "is what ECS puts into a container's environment"

WITHOUT_EFFECT: Mapping[str, str] = {
    "ECS_CHECKPOINT": "the state is always kept",
    "ECS_LOGLEVEL_ON_INSTANCE": "there is one log, see ECS_LOGLEVEL",
    "ECS_LOG_ROLLOVER_TYPE": "the log is rotated by size",
    "ECS_LOG_DRIVER": _INIT,
    "ECS_LOG_OPTS": _INIT,
    "ECS_AGENT_LABELS": _INIT,
    "ECS_AGENT_APPARMOR_PROFILE": _INIT,
    "ECS_AGENT_PID_NAMESPACE_HOST": _INIT,
    "ECS_AGENT_CONTAINER_NAME": _INIT,
    "ECS_AGENT_HEALTHCHECK_HOST": _INIT,
    "ECS_HOST_DATA_DIR": _INIT,
    "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER": _INIT,
    "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS": "introspection is on loopback alone, and needs no rule of a firewall",
    "ECS_OFFHOST_INTROSPECTION_INTERFACE_NAME": "introspection is on loopback alone, and needs no rule of a firewall",
    "ECS_UPDATES_ENABLED": "whoever installed the agent updates it",
    "ECS_UPDATE_DOWNLOAD_DIR": "whoever installed the agent updates it",
    "ECS_BACKEND_HOST": "the control plane is LONGSHORE_SERVER",
    "ECS_ENABLE_TASK_IAM_ROLE": _AWS,
    "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST": _AWS,
    "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE": _AWS,
    "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM": _AWS,
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING": _AWS,
    "ECS_WARM_POOLS_CHECK": _AWS,
    "ECS_EXTERNAL": _AWS,
    "ECS_ALTERNATE_CREDENTIAL_PROFILE": _AWS,
    "ECS_EBSTA_SUPPORTED": _AWS,
    "ECS_ENABLE_HIGH_DENSITY_ENI": _AWS,
    "ECS_AWSVPC_BLOCK_IMDS": _AWS,
    "ECS_INSTANCE_IP_COMPATIBILITY": _AWS,
    "ECS_VOLUME_PLUGIN_CAPABILITIES": _AWS,
    "ECS_NODE_METRICS_ENABLED": _AWS,
    "ECS_ENABLE_TASK_ENI": "awsvpc needs nothing that has to be allowed",
    "ECS_CNI_PLUGINS_PATH": "awsvpc needs no plugins",
    "ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES": "tasks are routed by their host",
    "ECS_EXCLUDE_IPV6_PORTBINDING": "one binding is reported for each port",
    "ECS_CGROUP_PATH": "it is /sys/fs/cgroup",
    "ECS_DISABLE_DOCKER_HEALTH_CHECK": "a health check that a definition declares is run",
    "ECS_ENABLE_RUNTIME_STATS": "there is no pprof; /v1/timings tells where time goes",
    "ECS_ENABLE_CPU_UNBOUNDED_WINDOWS_WORKAROUND": _WINDOWS,
    "ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND": _WINDOWS,
    "ECS_FSX_WINDOWS_FILE_SERVER_SUPPORTED": _WINDOWS,
    "ECS_GMSA_SUPPORTED": _WINDOWS,
    "ECS_CONTAINER_METADATA_URI": _CONTAINER,
    "ECS_CONTAINER_METADATA_URI_V4": _CONTAINER,
    "ECS_CONTAINER_METADATA_FILE": _CONTAINER,
    "ECS_AGENT_URI": _CONTAINER,
    "ECS_ENABLE_CONTAINER_METADATA": "containers ask the agent; no file is written into them",
    "ECS_ENABLE_GPU_SUPPORT": "GPUs are found, or named by LONGSHORE_GPU_IDS",
    "ECS_NVIDIA_RUNTIME": "it is nvidia",
    "ECS_POLL_METRICS": "statistics are always taken now and then, and never streamed",
    "ECS_MANIFEST_PULL_TIMEOUT": "a manifest comes with its image, see ECS_IMAGE_PULL_INACTIVITY_TIMEOUT",
}
"""Variables of ECS's agent that say nothing to this one, and why."""

_MEMBERS = {rule.member: name for name, rule in RULES.items() if rule.member}
_OTHER_MEMBERS = {
    "APIEndpoint": "ECS_BACKEND_HOST",
    "AWSRegion": "AWS_DEFAULT_REGION",
    "CgroupPath": "ECS_CGROUP_PATH",
    "Checkpoint": "ECS_CHECKPOINT",
    "CNIPluginsPath": "ECS_CNI_PLUGINS_PATH",
    "ContainerInstancePropagateTagsFrom": "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM",
    "DataDirOnHost": "ECS_HOST_DATA_DIR",
    "DisableDockerHealthCheck": "ECS_DISABLE_DOCKER_HEALTH_CHECK",
    "DockerEndpoint": "DOCKER_HOST",
    "GPUSupportEnabled": "ECS_ENABLE_GPU_SUPPORT",
    "NvidiaRuntime": "ECS_NVIDIA_RUNTIME",
    "OverrideAWSLogsExecutionRole": "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE",
    "SpotInstanceDrainingEnabled": "ECS_ENABLE_SPOT_INSTANCE_DRAINING",
    "TaskENIEnabled": "ECS_ENABLE_TASK_ENI",
    "TaskIAMRoleEnabled": "ECS_ENABLE_TASK_IAM_ROLE",
    "TaskIAMRoleEnabledForNetworkHost": "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST",
    "UpdateDownloadDir": "ECS_UPDATE_DOWNLOAD_DIR",
    "UpdatesEnabled": "ECS_UPDATES_ENABLED",
}
"""Members of ECS's config.json that have no rule."""
_PULL_BEHAVIORS = ("default", "always", "once", "prefer-cached")
"""By the numbers that ECS's config.json has for them."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What ECS's variables say, in our words."""

    values: Mapping[str, str] = field(repr=False)
    """Our variables, with values as ours are written."""
    sources: Mapping[str, str]
    """ECS's name of each of them."""
    faults: tuple[str, ...]
    without_effect: tuple[str, ...]
    unknown: tuple[str, ...]


def translate(variables: Mapping[str, str]) -> Translation:
    """Turn the variables of ECS's agent among some into ours. One that is set but empty counts as left out."""
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    faults: list[str] = []
    given = [name for name in sorted(variables) if name.startswith(PREFIXES) and variables[name]]
    for name in given:
        rule = RULES.get(name)
        if rule is None:
            continue
        try:
            values[rule.variable] = rule.form(variables[name])
        except ValueError as error:
            said = settings.REDACTED if rule.secret else repr(variables[name])
            faults.append(f"{name} is {said}: {error}")
        else:
            sources[rule.variable] = name
    return Translation(
        values=values,
        sources=sources,
        faults=tuple(faults),
        without_effect=tuple(name for name in given if name in WITHOUT_EFFECT),
        unknown=tuple(name for name in given if name not in RULES and name not in WITHOUT_EFFECT),
    )


def of_json(document: Mapping[str, Any]) -> dict[str, str]:
    """The variables that ECS's config.json stands for. What it has besides keeps its name, and is unknown as such."""
    variables: dict[str, str] = {}
    for member, value in document.items():
        name = _MEMBERS.get(member) or _OTHER_MEMBERS.get(member) or f"ECS_{member}"
        if value is not None:
            variables[name] = _text(member, value)
    return variables


def _text(member: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        return json.dumps(value)
    if member == "ImagePullBehavior":
        return _PULL_BEHAVIORS[value] if value in range(len(_PULL_BEHAVIORS)) else str(value)
    is_time = member.endswith(("Duration", "Timeout", "Period", "Jitter", "Interval", "Age"))
    return f"{value}ns" if is_time else str(value)
