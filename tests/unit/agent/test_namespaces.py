from typing import Any

import pytest

from longshore.agent import container_names, namespaces, ports, task_plan, task_state
from longshore.v1 import task_definition_pb2

D = task_definition_pb2
OWNER = container_names.Owner("i" * 32, "arn:aws:ecs:eu-west-1:123456789012:container-instance/blue/" + "i" * 32, "h")
TASK = container_names.TaskNames("f" * 32, "blue", "web", 7)
MIB = 1024 * 1024


def definition(*containers: D.ContainerDefinition, **members: Any) -> D.TaskDefinition:
    return D.TaskDefinition(container_definitions=containers or [D.ContainerDefinition(name="app")], **members)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({}, ""),
        ({"network_mode": D.NETWORK_MODE_HOST, "pid_mode": D.PID_MODE_HOST, "ipc_mode": D.IPC_MODE_NONE}, ""),
        ({"network_mode": D.NETWORK_MODE_AWSVPC}, "~internal~ecs~pause"),
        ({"network_mode": D.NETWORK_MODE_AWSVPC, "pid_mode": D.PID_MODE_TASK}, "~internal~ecs~pause"),
        ({"pid_mode": D.PID_MODE_TASK}, "~internal~ecs~pause~namespace"),
        ({"ipc_mode": D.IPC_MODE_TASK, "network_mode": D.NETWORK_MODE_HOST}, "~internal~ecs~pause~namespace"),
    ],
)
def test_what_is_shared_is_held_by_one_container_that_all_others_wait_for(members: dict[str, Any], name: str) -> None:
    plans = task_plan.plan(
        definition(D.ContainerDefinition(name="a"), D.ContainerDefinition(name="b", links=["a"]), **members)
    )
    assert [plan.name for plan in plans if plan.hidden] == ([name] if name else [])
    assert [plan.name for plan in plans][:2] == ["a", "b"]
    waits = task_state.Dependency(name, task_state.Condition.START)
    assert all((waits in plan.waits_for) is bool(name) for plan in plans if not plan.hidden)


def test_the_containers_join_what_the_pause_container_holds_and_nothing_else() -> None:
    joined = f"container:{container_names.container_name(TASK, namespaces.PAUSE)}"
    awsvpc = D.NETWORK_MODE_AWSVPC
    assert namespaces.modes(definition(network_mode=awsvpc), TASK) == {"NetworkMode": joined}
    whole = definition(network_mode=awsvpc, pid_mode=D.PID_MODE_TASK, ipc_mode=D.IPC_MODE_TASK)
    assert namespaces.modes(whole, TASK) == {"NetworkMode": joined, "PidMode": joined, "IpcMode": joined}
    hosts = definition(network_mode=D.NETWORK_MODE_NONE, pid_mode=D.PID_MODE_HOST, ipc_mode=D.IPC_MODE_HOST)
    assert namespaces.modes(hosts, TASK) == {"NetworkMode": "none", "PidMode": "host", "IpcMode": "host"}


def test_a_pause_container_has_no_rights_and_the_largest_shared_memory_that_is_asked_for() -> None:
    sizes = [
        D.ContainerDefinition(name=str(size), linux_parameters=D.LinuxParameters(shared_memory_size=size))
        for size in (64, 256, 0)
    ]
    body = namespaces.pause_body(
        definition(*sizes, ipc_mode=D.IPC_MODE_TASK), image="pause:1", owner=OWNER, task=TASK, cgroup_parent="/group"
    )
    host = body["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"], host["ShmSize"]) == ("none", "shareable", 256 * MIB)
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["CgroupParent"]) == (["ALL"], True, "/group")
    labels = body["Labels"]
    assert (labels["com.longshore.internal"], labels["com.longshore.task-id"]) == ("pause", "f" * 32)
    address = namespaces.pause_body(definition(network_mode=D.NETWORK_MODE_AWSVPC), image="p", owner=OWNER, task=TASK)
    assert (address["HostConfig"]["NetworkMode"], address["HostConfig"]["IpcMode"]) == ("longshore", "none")


def test_a_task_with_an_address_takes_no_port_of_the_host() -> None:
    container = D.ContainerDefinition(port_mappings=[D.PortMapping(container_port=80, host_port=80)])
    assert ports.wanted(container, D.NETWORK_MODE_AWSVPC) == ()
    assert len(ports.wanted(container, D.NETWORK_MODE_BRIDGE)) == 1
