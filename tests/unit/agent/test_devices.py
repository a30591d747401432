from pathlib import Path

import pytest

from longshore.agent import container_names, container_spec, devices
from longshore.v1 import agent_service_pb2, common_pb2, task_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

GIVEN = agent_service_pb2.ContainerResources(container_name="app", type="GPU", ids=["0", "2"])


def app(gpus: str = "2") -> definition_pb2.ContainerDefinition:
    container = definition_pb2.ContainerDefinition(name="app", image="busybox")
    container.resource_requirements.add(type=common_pb2.RESOURCE_TYPE_GPU, value=gpus)
    return container


def made(container: definition_pb2.ContainerDefinition, gpus: devices.Gpus, *ids: str) -> dict[str, object]:
    return container_spec.body(
        definition_pb2.TaskDefinition(container_definitions=[container]),
        container,
        None,
        owner=container_names.Owner("i" * 32, "arn:aws:ecs:eu-west-1:123456789012:container-instance/blue/i", "h"),
        task=container_names.TaskNames("f" * 32, "blue", "web", 7),
        bindings=(),
        stop_timeout_s=30,
        gpus=gpus,
        gpu_ids=ids,
    )


def test_a_host_has_the_gpus_that_its_operator_names() -> None:
    found = devices.found(["0", "b=/dev/dri/renderD128"], ())
    assert found.paths == {"0": "/dev/nvidia0", "b": "/dev/dri/renderD128"}
    (resource,) = devices.offered(found, {})
    assert (resource.name, resource.type, list(resource.string_set_value)) == ("GPU", "STRINGSET", ["0", "b"])


def test_a_host_has_nvidias_gpus_where_nobody_names_any(tmp_path: Path) -> None:
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    found = devices.found((), {"runc"}, tmp_path)
    assert list(found.paths.items()) == [("2", f"{tmp_path}/nvidia2"), ("10", f"{tmp_path}/nvidia10")]
    assert found.common == (f"{tmp_path}/nvidiactl", f"{tmp_path}/nvidia-uvm")
    assert devices.offered(devices.found((), {"runc"}, tmp_path / "none"), {}) == []


def test_what_else_an_operator_counts_is_offered_by_number() -> None:
    (resource,) = devices.offered(devices.NONE, {"licences": 3})
    assert (resource.name, resource.type, resource.integer_value) == ("licences", "INTEGER", 3)


def test_a_container_has_the_gpus_that_it_was_given() -> None:
    other = agent_service_pb2.ContainerResources(container_name="other", type="GPU", ids=["7"])
    assert devices.given(app(), None, [other, GIVEN]) == ("0", "2")
    assert devices.given(definition_pb2.ContainerDefinition(name="app"), None, [other]) == ()


def test_an_override_says_how_many_gpus_there_must_be() -> None:
    override = task_pb2.ContainerOverride(name="app")
    override.resource_requirements.add(type=common_pb2.RESOURCE_TYPE_GPU, value="3")
    with pytest.raises(devices.NotGiven, match="container app asks for 3 GPU and was given 2"):
        devices.given(app(), override, [GIVEN])


def test_a_container_that_was_not_given_its_gpus_is_not_made_without_them() -> None:
    with pytest.raises(devices.NotGiven, match="container app asks for 2 GPU and was given 0"):
        devices.given(app(), None, ())


def test_gpus_come_by_the_engines_runtime_where_it_has_one() -> None:
    body = made(app(), devices.Gpus({"0": "/dev/nvidia0"}, ("/dev/nvidiactl",), "nvidia"), "0")
    host = body["HostConfig"]
    assert isinstance(host, dict)
    assert (host["Runtime"], "Devices" in host) == ("nvidia", False)
    assert isinstance(body["Env"], list)
    assert "NVIDIA_VISIBLE_DEVICES=0" in body["Env"]


def test_gpus_come_as_device_files_beside_the_containers_own_where_it_has_none() -> None:
    container = app()
    container.linux_parameters.devices.add(host_path="/dev/fuse")
    container.environment.add(name="NVIDIA_VISIBLE_DEVICES", value="all")
    body = made(container, devices.Gpus({"0": "/dev/nvidia0", "2": "/dev/x"}, ("/dev/nvidiactl",)), "0", "2")
    host = body["HostConfig"]
    assert isinstance(host, dict)
    assert [each["PathOnHost"] for each in host["Devices"]] == ["/dev/fuse", "/dev/nvidia0", "/dev/x", "/dev/nvidiactl"]
    assert "Runtime" not in host
    assert isinstance(body["Env"], list)
    assert [pair for pair in body["Env"] if pair.startswith("NVIDIA")] == ["NVIDIA_VISIBLE_DEVICES=0,2"]


def test_a_container_without_gpus_is_as_it_always_was() -> None:
    container = definition_pb2.ContainerDefinition(name="app", image="busybox")
    body = made(container, devices.Gpus({"0": "/dev/nvidia0"}, (), "nvidia"))
    assert body["HostConfig"] == {"CpuShares": 2, "NetworkMode": "bridge"}
