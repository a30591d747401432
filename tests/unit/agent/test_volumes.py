from longshore.agent import container_names, volumes
from longshore.v1 import task_definition_pb2 as definition_pb2

TASK = container_names.TaskNames("f" * 32, "blue", "web", 7)
OWNER = container_names.Owner(
    "i" * 32, "arn:aws:ecs:eu-west-1:123456789012:container-instance/blue/" + "i" * 32, "home"
)
SHARED, OWN = definition_pb2.SCOPE_SHARED, definition_pb2.SCOPE_TASK


def docker(name: str, **members: object) -> definition_pb2.Volume:
    configuration = definition_pb2.DockerVolumeConfiguration(**members)  # type: ignore[arg-type]  # fields of the test
    return definition_pb2.Volume(name=name, docker_volume_configuration=configuration)


def wanted(*declared: definition_pb2.Volume, mounts: tuple[str, ...]) -> list[volumes.Wanted]:
    container = definition_pb2.ContainerDefinition(
        name="app", mount_points=[definition_pb2.MountPoint(source_volume=name) for name in mounts]
    )
    definition = definition_pb2.TaskDefinition(volumes=declared, container_definitions=[container])
    return list(volumes.wanted(definition, container, owner=OWNER, task=TASK))


def test_a_volume_of_the_task_is_made_under_a_name_of_its_own_and_labelled() -> None:
    (found,) = wanted(
        docker("data", scope=OWN, driver="local", driver_opts={"type": "tmpfs"}, labels={"team": "a"}), mounts=("data",)
    )
    assert found.name == container_names.volume_name(TASK, "data")
    assert (found.make, found.driver, found.options) == (True, "local", {"type": "tmpfs"})
    assert found.labels["team"] == "a"
    assert found.labels[container_names.TASK_ID] == TASK.task_id


def test_a_shared_volume_keeps_its_name_and_is_made_where_it_may_be() -> None:
    there, made = wanted(
        docker("there", scope=SHARED), docker("made", scope=SHARED, autoprovision=True), mounts=("made", "there")
    )
    assert (there.name, there.make, there.labels) == ("there", False, {})
    assert (made.name, made.make) == ("made", True)


def test_only_volumes_that_the_container_mounts_are_wanted_and_paths_of_the_host_are_none() -> None:
    host = definition_pb2.Volume(name="host", host=definition_pb2.HostVolumeProperties(source_path="/srv"))
    declared = (host, definition_pb2.Volume(name="plain"), docker("other", scope=OWN))
    (plain,) = wanted(*declared, mounts=("host", "plain", "host"))
    assert (plain.name, plain.make) == (container_names.volume_name(TASK, "plain"), True)
    assert plain.labels[container_names.HOME] == OWNER.home


def test_what_is_shared_or_the_hosts_outlives_the_task() -> None:
    host = definition_pb2.Volume(name="host", host=definition_pb2.HostVolumeProperties(source_path="/srv"))
    plain = definition_pb2.Volume(name="plain")
    definition = definition_pb2.TaskDefinition(
        volumes=[host, plain, docker("own", scope=OWN), docker("all", scope=SHARED), docker("unsaid")]
    )
    assert volumes.of_task(definition, TASK) == tuple(
        container_names.volume_name(TASK, name) for name in ("plain", "own", "unsaid")
    )
