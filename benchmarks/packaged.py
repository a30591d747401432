"""The agent as it is packed: the size of the archive, the memory of an idle one over its base, and how soon it has joined.

The base runs in the same image: the same interpreter, the same files, the same imports and connections (`memory.BASE`), so what is left is what the
agent itself adds. Compiled modules without their sources, and none of the control plane's, make both smaller than a checkout's.
"""

import time
from pathlib import Path

from benchmarks import figures, memory
from tests.e2e import packaging
from tests.engines import agent_image, docker

STARTS = 5
SIZE_GOAL_MIB = 35
_MEBIBYTE = 1024 * 1024


def measure(folder: Path, engine: docker.DockerEngine) -> list[figures.Figure]:
    """Build, load, start, weigh."""
    size = agent_image.archive().stat().st_size / _MEBIBYTE
    image = agent_image.loaded(engine)
    with packaging.running(folder, engine, image) as packaged:
        starts = [_joined_ms(packaged) for _ in range(STARTS)]
        container = packaged.start()
        base = _base(packaged)
        time.sleep(memory.SETTLE_S)
        agent_mb, base_mb = (memory.resident_mb(_pid(engine, name)) for name in (container, base))
    return [
        figures.Figure(
            name="agent image, compressed",
            value=size,
            unit="MiB",
            goal=figures.at_most(SIZE_GOAL_MIB, "MiB"),
        ),
        figures.Figure(
            name="packaged agent idle",
            value=agent_mb,
            unit="MB",
            peer=base_mb,
            peer_name="base: same image, imports and connections",
            goal=figures.more_at_most(8, "MB"),
        ),
        figures.Figure(
            name="packaged agent, `docker run` to joined",
            value=figures.median(starts),
            unit="ms",
            samples=starts,
        ),
    ]


def _joined_ms(packaged: packaging.Packaged) -> float:
    began = time.monotonic()
    container = packaged.start()
    took = (time.monotonic() - began) * 1000
    packaged.stack.engine.docker("stop", container)
    packaged.until_left()
    return took


def _base(packaged: packaging.Packaged) -> str:
    options = ["--network=host", f"--label={packaged.label}", "--volume=/var/run/docker.sock:/var/run/docker.sock"]
    words = ["-c", memory.BASE, packaged.stack.addresses.state_tracker[0]]
    return packaged.stack.engine.docker("run", "--detach", *options, "--entrypoint=python", packaged.image, *words)


def _pid(engine: docker.DockerEngine, container: str) -> int:
    return int(engine.docker("inspect", "--format", "{{.State.Pid}}", container))
