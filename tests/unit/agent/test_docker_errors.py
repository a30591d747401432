import aiodocker
import aiohttp
import pytest

from longshore.agent import runtime
from longshore.agent.docker import docker_errors

START = runtime.CannotStartContainerError


def failure(
    raised: Exception, refused: type[runtime.RuntimeFailure] = START, what: str = "started", timeout_s: float = 180
) -> runtime.RuntimeFailure:
    with pytest.raises(runtime.RuntimeFailure) as caught, docker_errors.translated(refused, what, timeout_s):
        raise raised
    return caught.value


@pytest.mark.parametrize(
    ("status", "message", "refused", "expected", "name"),
    [
        (
            500,
            "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated",
            START,
            runtime.PortTaken,
            "CannotStart",
        ),
        (500, "listen tcp4 0.0.0.0:80: bind: address already in use", START, runtime.PortTaken, "CannotStart"),
        (400, "exec: no such file or directory", START, START, "CannotStart"),
        (500, "container init was OOM-killed (memory limit too low?)", START, runtime.OutOfMemoryError, "OutOfMemory"),
        (404, "network longshore not found", START, runtime.NetworkMissing, "CannotStart"),
        (404, "No such container: abc", START, runtime.ContainerMissing, "ContainerVanished"),
        (
            404,
            "No such image: x",
            runtime.CannotCreateContainerError,
            runtime.CannotCreateContainerError,
            "CannotCreate",
        ),
        (
            409,
            'Conflict. The container name "/x" is already in use by container "y".',
            runtime.CannotCreateContainerError,
            runtime.NameTaken,
            "CannotCreate",
        ),
        (500, "i/o timeout", runtime.CannotPullContainerError, runtime.CannotPullContainerError, "CannotPull"),
    ],
)
def test_refusals_have_ecss_names(
    status: int, message: str, refused: type[runtime.RuntimeFailure], expected: type[Exception], name: str
) -> None:
    found = failure(aiodocker.DockerError(status, message), refused)
    assert type(found) is expected
    assert found.reason.startswith(f"{name}{'Container' if name.startswith('Cannot') else ''}")
    assert not found.retriable


@pytest.mark.parametrize(
    "raised",
    [
        aiodocker.DockerError(900, "Cannot connect to Docker Engine"),
        aiodocker.DockerError(500, "rpc error: transport is closing"),
        aiodocker.DockerError(500, "failed to update store for object type *libnetwork.endpoint: open : no such file"),
        aiohttp.ServerDisconnectedError(),
        ConnectionResetError("gone"),
    ],
)
def test_an_engine_that_is_away_may_be_asked_again(raised: Exception) -> None:
    found = failure(raised)
    assert isinstance(found, runtime.EngineUnavailable)
    assert found.retriable


def test_a_timeout_names_the_aim_and_the_wait() -> None:
    assert failure(TimeoutError()).reason == (
        "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s"
    )


def test_a_reason_has_at_most_1024_characters() -> None:
    assert len(failure(aiodocker.DockerError(500, "x" * 5000)).reason) == 1024
