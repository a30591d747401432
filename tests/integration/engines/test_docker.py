"""The Docker Engines that tests are given are real, and a test's own can be stopped and killed."""

import pytest

from tests.engines import docker, dockerd, labels, processes


def test_a_container_of_busybox_runs_to_its_exit_code(docker_engine: docker.DockerEngine) -> None:
    label = labels.unique()
    docker_engine.docker("run", "--detach", "--label", label, "busybox", "sh", "-c", "echo hello; exit 7")
    (container,) = docker_engine.containers(label)

    assert docker_engine.docker("wait", container) == "7"
    assert docker_engine.docker("logs", container) == "hello"

    docker_engine.remove_labelled(label)
    assert docker_engine.containers(label) == []


def test_a_failing_call_says_what_the_engine_said(docker_engine: docker.DockerEngine) -> None:
    with pytest.raises(processes.EngineError, match="No such container"):
        docker_engine.docker("inspect", "--type", "container", "no-such-container")


@pytest.mark.timeout(180)
def test_containers_of_a_private_engine_outlive_its_restart_and_its_crash(
    private_docker: dockerd.PrivateDockerd,
) -> None:
    container = private_docker.docker("run", "--detach", "busybox", "sleep", "600")

    private_docker.restart()
    private_docker.kill()
    assert not private_docker.answers()
    private_docker.start()

    assert private_docker.docker("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", container) == "true 0"


@pytest.mark.timeout(180)
def test_a_private_engine_is_not_the_machines(
    private_docker: dockerd.PrivateDockerd, docker_engine: docker.DockerEngine
) -> None:
    container = private_docker.docker("create", "busybox")

    assert container not in docker_engine.docker("ps", "--all", "--quiet", "--no-trunc").split()
