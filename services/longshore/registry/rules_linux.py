"""Rules about what a container may do to its host's kernel: linuxParameters, ulimits, sysctls, security (ecs.md section 1.2). Pure."""

import re
from collections.abc import Iterator

from longshore.registry import rule
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Container
from longshore.v1 import task_definition_pb2

CAPABILITIES = frozenset((
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
    "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD",
    "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN",
    "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE",
    "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
))  # fmt: skip
"""ECS's list, which is shorter than Linux's."""

_SECURITY = re.compile(r"no-new-privileges|(?:apparmor|label|credentialspec|credentialspecdomainless):.+")
_SYSCTL = re.compile(
    r"kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\..+|net\..+"
)


def _net_control_on_host(container: Container) -> Iterator[Found]:
    if container.definition.network_mode == task_definition_pb2.NETWORK_MODE_HOST:
        for index, control in enumerate(container.message.system_controls):
            if control.namespace.startswith("net."):
                yield Found(f"systemControls[{index}].namespace", control.namespace)


def _soft_above_hard(container: Container) -> Iterator[Found]:
    for index, limit in enumerate(container.message.ulimits):
        # -1 stands for no limit.
        soft = float("inf") if limit.soft_limit == -1 else limit.soft_limit
        hard = float("inf") if limit.hard_limit == -1 else limit.hard_limit
        if limit.HasField("soft_limit") and limit.HasField("hard_limit") and soft > hard:
            yield Found(f"ulimits[{index}].softLimit", limit.soft_limit, {"hard": limit.hard_limit})


RULES: tuple[Rule[Container], ...] = (
    Rule(
        "capability-added",
        "ecs.md 1.2",
        rule.each("linuxParameters.capabilities.add[]", rule.one_of(CAPABILITIES)),
        "must be a Linux capability without its CAP_, or ALL",
    ),
    Rule(
        "capability-dropped",
        "ecs.md 1.2",
        rule.each("linuxParameters.capabilities.drop[]", rule.one_of(CAPABILITIES)),
        "must be a Linux capability without its CAP_, or ALL",
    ),
    Rule(
        "device-path",
        "ecs.md 1.2",
        rule.required("linuxParameters.devices[].hostPath"),
        "must be the path of a device on the host",
    ),
    Rule(
        "shared-memory-size",
        "ecs.md 1.2",
        rule.each("linuxParameters.sharedMemorySize", rule.at_least(1)),
        "must be at least 1 MiB",
    ),
    Rule("max-swap", "ecs.md 1.2", rule.each("linuxParameters.maxSwap", rule.at_least(0)), "must not be negative"),
    Rule(
        "swappiness",
        "ecs.md 1.2",
        rule.each("linuxParameters.swappiness", rule.between(0, 100)),
        "must be between 0 and 100",
    ),
    Rule("ulimit-name", "ecs.md 1.2", rule.required("ulimits[].name"), "must name a limit"),
    Rule("ulimit-soft", "ecs.md 1.2", rule.required("ulimits[].softLimit"), "must be a number"),
    Rule("ulimit-hard", "ecs.md 1.2", rule.required("ulimits[].hardLimit"), "must be a number"),
    Rule("ulimit-order", "ecs.md 1.2", _soft_above_hard, "must be at most the hard limit, {hard}"),
    Rule("ulimit-once", "ecs.md 1.2", rule.unique("ulimits[].name"), "must be given once"),
    Rule(
        "sysctl-namespace-required",
        "ecs.md 1.2",
        rule.required("systemControls[].namespace"),
        "must be a kernel parameter",
    ),
    Rule("sysctl-value", "ecs.md 1.2", rule.required("systemControls[].value"), "must be a value"),
    Rule(
        "sysctl-namespace",
        "ecs.md 1.2",
        rule.each("systemControls[].namespace", lambda name: not name or _SYSCTL.fullmatch(str(name)) is not None),
        "must be one of kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.* and net.*",
    ),
    Rule("sysctl-net-on-host", "ecs.md 1.2", _net_control_on_host, "must not be one of net.* with networkMode 'host'"),
    Rule(
        "security-option",
        "ecs.md 1.2",
        rule.each("dockerSecurityOptions[]", lambda option: _SECURITY.fullmatch(str(option)) is not None),
        "must be no-new-privileges, apparmor:PROFILE, label:VALUE or credentialspec:FILE",
    ),
)
