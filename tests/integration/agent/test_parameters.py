"""Every parameter of a container, as a real Docker Engine has it and as the container's own process sees it (ecs.md 1.2).

What is asked for is compared on containers that are made and never started, so that also what this machine cannot start is looked at.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import container_names, container_spec, devices, runtime
from longshore.agent.docker import docker_runtime
from longshore.rpc import codec
from longshore.v1 import agent_service_pb2, common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

READ = definition_pb2.DEVICE_CGROUP_PERMISSION_READ
MIB = 1024 * 1024
OWNER = container_names.Owner("i" * 32, f"arn:aws:ecs:us-east-1:123456789012:container-instance/blue/{'i' * 32}", "h")

WHOLE: Mapping[str, Any] = {
    "cpu": 300_000,
    "memory": 64,
    "memoryReservation": 32,
    "entryPoint": ["sh"],
    "command": ["-c", "sleep 1000"],
    "environment": [{"name": "A", "value": "1 = one"}],
    "workingDirectory": "/home",
    "user": "nobody:nogroup",
    "hostname": "inside",
    "dnsServers": ["192.0.2.53"],
    "dnsSearchDomains": ["one.example", "two.example"],
    "extraHosts": [{"hostname": "other", "ipAddress": "192.0.2.7"}],
    "readonlyRootFilesystem": True,
    "dockerSecurityOptions": ["no-new-privileges"],
    "dockerLabels": {"team": "harbour"},
    "interactive": True,
    "pseudoTerminal": True,
    "stopTimeout": 7200,
    "ulimits": [
        {"name": "nofile", "softLimit": 100, "hardLimit": 200},
        {"name": "core", "softLimit": 0, "hardLimit": 0},
    ],
    "systemControls": [
        {"namespace": "kernel.msgmax", "value": "4096"},
        {"namespace": "net.ipv4.ip_default_ttl", "value": "33"},
    ],
    "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1m", "mode": "non-blocking"}},
    "healthCheck": {"command": ["CMD", "true"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 9},
    "linuxParameters": {
        "capabilities": {"add": ["SYS_PTRACE"], "drop": ["MKNOD", "NET_RAW"]},
        "devices": [{"hostPath": "/dev/zero", "containerPath": "/dev/other", "permissions": ["read"]}],
        "initProcessEnabled": True,
        "sharedMemorySize": 8,
        "tmpfs": [{"containerPath": "/scratch", "size": 3, "mountOptions": ["noexec", "uid=65534"]}],
        "maxSwap": 16,
        "swappiness": 11,
    },
}

ASKED: Mapping[str, Any] = {
    "HostConfig.CpuShares": 262_144,
    "HostConfig.Memory": 64 * MIB,
    "HostConfig.MemoryReservation": 32 * MIB,
    "HostConfig.MemorySwap": 80 * MIB,
    "HostConfig.MemorySwappiness": 11,
    "HostConfig.CapAdd": ["SYS_PTRACE"],
    "HostConfig.CapDrop": ["MKNOD", "NET_RAW"],
    "HostConfig.Devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/other", "CgroupPermissions": "r"}],
    "HostConfig.Init": True,
    "HostConfig.ShmSize": 8 * MIB,
    "HostConfig.Tmpfs": {"/scratch": "size=3m,noexec,uid=65534"},
    "HostConfig.Ulimits": [
        {"Name": "nofile", "Soft": 100, "Hard": 200},
        {"Name": "core", "Soft": 0, "Hard": 0},
    ],
    "HostConfig.Sysctls": {"kernel.msgmax": "4096", "net.ipv4.ip_default_ttl": "33"},
    "HostConfig.Dns": ["192.0.2.53"],
    "HostConfig.DnsSearch": ["one.example", "two.example"],
    "HostConfig.ExtraHosts": ["other:192.0.2.7"],
    "HostConfig.ReadonlyRootfs": True,
    "HostConfig.SecurityOpt": ["no-new-privileges"],
    "HostConfig.LogConfig": {
        "Type": "json-file",
        "Config": {"max-size": "1m", "mode": "non-blocking", "max-buffer-size": "10m"},
    },
    "HostConfig.Privileged": False,
    "HostConfig.NetworkMode": "bridge",
    "Config.Entrypoint": ["sh"],
    "Config.Cmd": ["-c", "sleep 1000"],
    "Config.WorkingDir": "/home",
    "Config.User": "nobody:nogroup",
    "Config.Hostname": "inside",
    "Config.OpenStdin": True,
    "Config.Tty": True,
    "Config.StopTimeout": 7200,
    "Config.Healthcheck": {
        "Test": ["CMD", "true"],
        "Interval": 5_000_000_000,
        "Timeout": 2_000_000_000,
        "StartPeriod": 9_000_000_000,
        "Retries": 1,
    },
}
"""What the engine has of the container above."""

INSIDE: Mapping[str, str] = {
    "id -u": "65534",
    "id -g": "65534",
    "pwd": "/home",
    "hostname": "inside",
    "echo $A": "1 = one",
    "cat /proc/1/comm": "docker-init",
    "grep NoNewPrivs /proc/1/status | tr -d '[:space:]'": "NoNewPrivs:1",
    "grep 'open files' /proc/1/limits | tr -s ' '": "Max open files 100 200 files",
    "grep 'core file' /proc/1/limits | tr -s ' '": "Max core file size 0 0 bytes",
    "cat /proc/sys/kernel/msgmax": "4096",
    "cat /proc/sys/net/ipv4/ip_default_ttl": "33",
    "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2": "8192",
    "df -k /scratch | tail -1 | tr -s ' ' | cut -d' ' -f2": "3072",
    "grep -c ' /scratch tmpfs .*noexec' /proc/mounts": "1",
    "touch /scratch/file && echo written": "written",
    "touch /file 2>&1": "touch: /file: Read-only file system",
    "head -c 1 /dev/other | wc -c": "1",
    "[ -t 0 ] </proc/1/fd/0 && echo terminal": "terminal",
    "grep -c '192.0.2.7.other' /etc/hosts": "1",
    "grep -E 'nameserver|search' /etc/resolv.conf": "search one.example two.example\nnameserver 192.0.2.53",
}
"""What the container's own process has of it."""


def container(**members: Any) -> definition_pb2.ContainerDefinition:
    """A container of ECS's JSON."""
    given = {"name": "app", "image": definitions.IMAGE, **members}
    return codec.from_json(definition_pb2.ContainerDefinition, given)


def member(inspected: Mapping[str, Any], path: str) -> Any:
    """A member of what the engine tells of a container."""
    found: Any = inspected
    for step in path.split("."):
        found = found[step]
    return found


async def made(engine: docker.DockerEngine, part: definition_pb2.ContainerDefinition, **task: Any) -> dict[str, Any]:
    """What the engine tells of a container that is made as the agent makes it, and not started."""
    names = container_names.TaskNames(uuid.uuid4().hex, "blue", definitions.FAMILY, 1)
    definition = definition_pb2.TaskDefinition(container_definitions=[part], **task)
    body = container_spec.body(
        definition, part, None, owner=OWNER, task=names, bindings=(), stop_timeout_s=part.stop_timeout or 30
    )
    used = docker_runtime.DockerRuntime(engine.url)
    try:
        runtime_id = await used.create(container_names.container_name(names, part.name), body)
        try:
            told = await asyncio.to_thread(engine.docker, "inspect", runtime_id)
        finally:
            await used.remove(runtime_id)
    finally:
        await used.close()
    found: dict[str, Any] = json.loads(told)[0]
    return found


async def test_the_engine_is_asked_for_every_parameter(docker_engine: docker.DockerEngine) -> None:
    inspected = await made(docker_engine, container(**WHOLE))
    assert {path: member(inspected, path) for path in ASKED} == ASKED
    assert inspected["Config"]["Labels"]["team"] == "harbour"
    assert "A=1 = one" in inspected["Config"]["Env"]


@pytest.mark.parametrize(
    ("members", "path", "expected"),
    [
        ({"privileged": True}, "HostConfig.Privileged", True),
        ({"disableNetworking": True}, "Config.NetworkDisabled", True),
        ({"linuxParameters": {"maxSwap": 0}, "memory": 8}, "HostConfig.MemorySwap", 8 * MIB),
        (
            {"linuxParameters": {"capabilities": {"add": ["ALL"], "drop": ["ALL"]}}},
            "HostConfig.CapAdd",
            ["ALL"],
        ),
        (
            {"linuxParameters": {"devices": [{"hostPath": "/dev/null"}]}},
            "HostConfig.Devices",
            [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "rwm"}],
        ),
        (
            {"dockerSecurityOptions": ["label:user:me", "apparmor:a-profile"]},
            "HostConfig.SecurityOpt",
            ["label=user:me", "apparmor=a-profile"],
        ),
    ],
)
async def test_what_cannot_go_together_is_asked_for_too(
    docker_engine: docker.DockerEngine, members: dict[str, Any], path: str, expected: Any
) -> None:
    assert member(await made(docker_engine, container(**members)), path) == expected


async def test_swap_without_a_limit_of_memory_is_refused_by_the_engine_and_not_left_out(
    docker_engine: docker.DockerEngine,
) -> None:
    with pytest.raises(runtime.CannotCreateContainerError, match="set the Memory limit when using Memoryswap"):
        await made(docker_engine, container(memoryReservation=8, linuxParameters={"maxSwap": 16}))


LOG_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "json-file": {"max-file": "3"},
    "syslog": {"syslog-address": "udp://127.0.0.1:5514", "tag": "app"},
    "journald": {"tag": "app"},
    "gelf": {"gelf-address": "udp://127.0.0.1:12201"},
    "fluentd": {"fluentd-address": "127.0.0.1:24224", "fluentd-async-connect": "true"},
    "splunk": {"splunk-url": "https://127.0.0.1:8088", "splunk-token": "word"},
}


@pytest.mark.parametrize("driver", LOG_OPTIONS)
async def test_every_log_driver_that_the_engine_offers_has_its_options(
    docker_engine: docker.DockerEngine, driver: str
) -> None:
    offered = json.loads(await asyncio.to_thread(docker_engine.docker, "info", "--format", "{{json .Plugins.Log}}"))
    if driver not in offered:
        pytest.skip(f"this engine has no log driver {driver}")
    options = LOG_OPTIONS[driver]
    log = {"logDriver": driver, "options": dict(options)}
    inspected = await made(docker_engine, container(logConfiguration=log))
    assert inspected["HostConfig"]["LogConfig"] == {"Type": driver, "Config": options}


async def inside(engine: docker.DockerEngine, runtime_id: str, *questions: str) -> dict[str, str]:
    """What shell commands print in a container, all asked in one call."""
    script = "\n".join(f"echo '<<{number}'; {question}" for number, question in enumerate(questions))
    told = await asyncio.to_thread(engine.docker, "exec", runtime_id, "sh", "-c", f"{script}\ntrue")
    answers = [part.partition("\n")[2].strip() for part in told.split("<<")[1:]]
    return dict(zip(questions, answers, strict=True))


@pytest.mark.usefixtures("agent")
async def test_the_containers_process_has_every_parameter(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    part = container(**{**WHOLE, "stopTimeout": 1})
    await tracker.assign(definitions.definition(part), task)
    runtime_id = (await tracker.running(task)).containers[0].runtime_id
    assert await inside(docker_engine, runtime_id, *INSIDE) == INSIDE
    (bounding,) = (await inside(docker_engine, runtime_id, "grep CapBnd /proc/1/status")).values()
    rights = int(bounding.split()[1], 16)
    assert [rights >> number & 1 for number in (19, 27, 13)] == [1, 0, 0]  # SYS_PTRACE, MKNOD, NET_RAW
    await tracker.end(task)
    await tracker.stopped(task)


@pytest.mark.usefixtures("agent")
async def test_a_user_may_be_named_in_every_form(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    # What each must be inside. Where no group is given it is the user's own, and for a number without a name root's.
    forms = {
        "nobody": "65534:65534",
        "nobody:root": "65534:0",
        "1234:5678": "1234:5678",
        "1234:nogroup": "1234:65534",
    }
    parts = []
    for number, (user, ids) in enumerate(forms.items()):
        script = f"[ $(id -u):$(id -g) = {ids} ]"
        parts.append(definitions.shell(f"user-{number}", script, essential=False, user=user))
    success = definition_pb2.CONTAINER_CONDITION_SUCCESS
    waits = [definition_pb2.ContainerDependency(container_name=part.name, condition=success) for part in parts]
    await tracker.assign(definitions.definition(*parts, definitions.shell("app", "exit 42", depends_on=waits)), task)
    stopped = await tracker.stopped(task)
    assert {each.name: (each.exit_code, each.reason) for each in stopped.containers if each.exit_code} == {
        "app": (42, "")
    }


@pytest.mark.usefixtures("agent")
async def test_mounts_of_another_container_can_be_had_for_reading_alone(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    mount = definition_pb2.MountPoint(source_volume="data", container_path="/data")
    owner = definitions.shell("owner", "echo 42 >/data/code; sleep 1000", essential=False, mount_points=[mount])
    script = (
        "until [ -s /data/code ]; do sleep 0.05; done; touch /data/mine 2>/dev/null && exit 1; exit $(cat /data/code)"
    )
    source = definition_pb2.VolumeFrom(source_container="owner", read_only=True)
    reader = definitions.shell("reader", script, volumes_from=[source])
    await tracker.assign(definitions.definition(reader, owner, volumes=[definition_pb2.Volume(name="data")]), task)
    assert (await tracker.stopped(task)).containers[0].exit_code == 42


@pytest.mark.usefixtures("agent")
async def test_the_images_stop_signal_is_the_one_that_is_sent(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine, tmp_path: Path
) -> None:
    task = definitions.task_id()
    (tmp_path / "Dockerfile").write_text(f"FROM {definitions.IMAGE}\nSTOPSIGNAL SIGUSR1\n")
    image = await asyncio.to_thread(docker_engine.docker, "build", "--quiet", "--network=none", str(tmp_path))
    try:
        script = "trap 'exit 3' USR1; trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done"
        part = definitions.shell("app", script, stop_timeout=20)
        part.image = image
        await tracker.assign(definitions.definition(part), task)
        runtime_id = (await tracker.running(task)).containers[0].runtime_id
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(docker_engine.logs, runtime_id):
                pass  # until its traps are set
        await tracker.end(task)
        assert (await tracker.stopped(task)).containers[0].exit_code == 3
        await asyncio.to_thread(docker_engine.docker, "rm", "--force", runtime_id)
    finally:
        docker_engine.docker("rmi", "--force", image)


async def test_a_container_sees_the_gpus_that_it_was_given_and_its_own_devices_as_far_as_it_may(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    task, poor = definitions.task_id(), definitions.task_id()
    part = definitions.container()
    part.resource_requirements.add(type=common_pb2.RESOURCE_TYPE_GPU, value="1")
    # Not one of those that every container has.
    part.linux_parameters.devices.add(host_path="/dev/kmsg", container_path="/dev/messages", permissions=[READ])
    given = agent_service_pb2.ContainerResources(container_name="app", type=devices.GPU, ids=["b"])
    async with make_agent("--gpu-ids=a=/dev/kmsg,b=/dev/fuse", "--instance-resources=licences=3"):
        await tracker.assign(definitions.definition(part), task, resources=[given])
        runtime_id = (await tracker.running(task)).containers[0].runtime_id
        answers = {
            "echo $NVIDIA_VISIBLE_DEVICES": "b",
            "ls /dev | grep -E 'fuse|kmsg|messages'": "fuse\nmessages",
            "(: >/dev/messages) 2>&1": "sh: can't create /dev/messages: Operation not permitted",
        }
        assert await inside(docker_engine, runtime_id, *answers) == answers
        await tracker.assign(definitions.definition(part), poor)
        reason = (await tracker.stopped(poor)).containers[0].reason
        await tracker.end(task)
        await tracker.stopped(task)
    assert reason == "CannotCreateContainerError: container app asks for 1 GPU and was given 0"
    offered = {each.name: each for each in tracker.registrations[0].total_resources}
    assert list(offered["GPU"].string_set_value) == ["a", "b"]
    assert offered["licences"].integer_value == 3
