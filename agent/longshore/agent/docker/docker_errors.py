"""Docker's refusals, translated once: status and text into the runtime's named failures."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import aiodocker
import aiohttp

from longshore.agent import pulls, runtime
from longshore.agent.docker import docker_values

_PORT_TEXTS = ("port is already allocated", "address already in use", "failed to bind host port")
_NO_NETWORK = re.compile(r"network \S+ not found")
_MEMORY_TEXTS = ("OOM-killed", "oom-kill", "memory limit too low")
_UNREACHABLE = 900  # aiodocker's own status for a connection that failed
_PREFIX = "Error response from daemon: "


@contextmanager
def translated(refused: type[runtime.RuntimeFailure], what: str, timeout_s: float) -> Iterator[None]:
    """Turn whatever a call raises into a RuntimeFailure: `refused` where Docker said no. `what` names the aim of the call."""
    try:
        yield
    except aiodocker.DockerError as error:
        raise _refusal(refused, error) from error
    except TimeoutError as error:
        raise runtime.DockerTimeoutError(runtime.timed_out(what, timeout_s)) from error
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        raise runtime.EngineUnavailable(str(error) or type(error).__name__) from error


def _refusal(refused: type[runtime.RuntimeFailure], error: aiodocker.DockerError) -> runtime.RuntimeFailure:
    message = str(error.message).removeprefix(_PREFIX).strip()
    text = f"{_PREFIX}{message}"
    if error.status in {_UNREACHABLE, 503} or docker_values.engine_went_away(message):
        return runtime.EngineUnavailable(message)
    if error.status == 404 and "No such container" in message:
        return runtime.ContainerMissing("No container matching saved ID found")
    if error.status == 409 and "is already in use by container" in message:
        return runtime.NameTaken(text)
    starting = {runtime.CannotCreateContainerError, runtime.CannotStartContainerError}
    if refused in starting and _NO_NETWORK.search(message):
        return runtime.NetworkMissing(text)
    if refused is runtime.CannotStartContainerError:
        if any(part in message for part in _PORT_TEXTS):
            return runtime.PortTaken(text)
        if any(part in message for part in _MEMORY_TEXTS):
            return runtime.OutOfMemoryError(f"Container killed due to memory usage: {text}")
    if refused is runtime.CannotPullContainerError:
        return runtime.PULL_FAILURES[pulls.failure(message)](text)
    return refused(text)
