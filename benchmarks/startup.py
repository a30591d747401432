"""From `longshore up` to its first answer over HTTP, beside the emulator that a user would start instead.

What is timed is what a person does: the command is started with nothing running and no state, and ListClusters is asked over ECS's wire until
it is answered with success. The agent starts meanwhile, on the same cores. Both sides take turns; caches are warm after the first turn, which
is thrown away. `again` is a start over the state of an earlier one; `ready` is when `up` says Ready: this host has joined by then.
"""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import figures
from longshore.embedded import config, holder
from tests.e2e import stacks
from tests.engines import docker, ports

RUNS = 11
GOAL_MS = 1_500

START_BOUND_S = 60.0
ANSWER_BOUND_S = 10.0
STOP_BOUND_S = 40.0
POLL_S = 0.005
"""How often an answer is looked for: less than a hundredth of what is measured."""

TARGET = "AmazonEC2ContainerServiceV20141113.ListClusters"
HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": TARGET,
    # The emulator picks the service by the scope of the credential; neither side verifies the signature.
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/ecs/aws4_request, "
    "SignedHeaders=host;x-amz-target, Signature=0",
}


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds from the command to what it brought."""

    answered: float
    ready: float


def measure(folder: Path, engine: docker.DockerEngine, *, runs: int = RUNS) -> figures.Figure:
    """Start and stop both, in turns."""
    first: list[Start] = []
    again: list[Start] = []
    peer: list[float] = []
    for turn in range(runs + 1):
        folders = config.folders(folder / f"start-{turn}")
        measured = (_longshore(folders, engine), _longshore(folders, engine), _emulator())
        if turn:  # the one before has filled the caches
            first.append(measured[0])
            again.append(measured[1])
            peer.append(measured[2])
    answered = [start.answered for start in first]
    value = figures.median(answered)
    return figures.Figure(
        name="start: up to first ListClusters over HTTP",
        value=value,
        unit="ms",
        peer=figures.median(peer),
        peer_name="moto server, the same call",
        goal=figures.at_most(GOAL_MS, "ms"),
        samples=answered,
        peer_samples=peer,
        parts={
            "again": figures.median(start.answered for start in again),
            "ready": figures.median(start.ready for start in first),
            "ready again": figures.median(start.ready for start in again),
            "slowest": max(answered),
        },
        notes="with an agent that starts beside it; new state each time",
    )


def _longshore(folders: config.Folders, engine: docker.DockerEngine) -> Start:
    """Start `longshore up` on the folders, and end it once it is ready."""
    base = ports.free_range(len(holder.ports(0)))
    command = [str(Path(sys.executable).with_name("longshore")), "up"]
    command += ["--state-dir", str(folders.state), "--port-base", str(base)]
    start = _Starting(command, {"LONGSHORE_DOCKER_HOST": engine.url})
    try:
        return Start(start.until(lambda: _listed(base)), start.until(lambda: _ready(folders)))
    finally:
        start.end()


def _emulator() -> float:
    """Start the emulator's server, and end it once it has answered; the milliseconds between."""
    port = ports.free_port()
    start = _Starting([str(Path(sys.executable).with_name("moto_server")), "--port", str(port)], {})
    try:
        return start.until(lambda: _listed(port))
    finally:
        start.end()


class _Starting:
    """A process from the moment it is started."""

    def __init__(self, command: Sequence[str], environ: dict[str, str]) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command, env=stacks.environment() | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def until(self, reached: Callable[[], bool]) -> float:
        """Milliseconds from the start until something holds."""
        while not reached():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode} before it answered")
            if time.monotonic() - self._began > START_BOUND_S:
                raise RuntimeError(f"{self._process.args!r} has not answered within {START_BOUND_S:.0f} s")
            time.sleep(POLL_S)
        return (time.monotonic() - self._began) * 1000

    def end(self) -> None:
        """Ask it to end, and wait."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_BOUND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _listed(port: int) -> bool:
    connection = http.client.HTTPConnection(stacks.LOOPBACK, port, timeout=ANSWER_BOUND_S)
    try:
        connection.request("POST", "/", body=b"{}", headers=HEADERS)
        answer = connection.getresponse()
        return answer.status == http.client.OK and "clusterArns" in json.loads(answer.read())
    except ConnectionError:
        return False
    finally:
        connection.close()


def _ready(folders: config.Folders) -> bool:
    running = holder.read(folders.state)
    return running is not None and running.ready
