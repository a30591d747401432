"""A whole Longshore of real processes for one test, embedded or distributed, with the same face.

Processes are started as a user starts them (`python -m longshore.…`, the `longshore` command), on free ports, with state in the test's
folder, and end with the test run. A test may kill, freeze and start each component by its name.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longshore.agent import container_names
from longshore.client import addresses as client_addresses
from longshore.client import client as clients
from longshore.embedded import config, control_plane, holder
from longshore.rpc import errors, http_probe, probe
from longshore.v1 import options_pb2, registry_service_pb2, state_tracker_service_pb2
from tests.engines import docker, ports
from tests.engines.processes import ServerProcess

COMMAND_BOUND_S = 120.0
LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
"""What every component defaults to."""

HTTP_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key and its secret."""

    access_key_id: str
    secret_access_key: str


UNVERIFIED = Credentials("AKIDEXAMPLE", "any secret will do")
"""Tools insist on credentials even where nobody verifies them."""


class Stack:
    """Components by name, and how to talk to them."""

    def __init__(
        self,
        name: str,
        folder: Path,
        addresses: client_addresses.Addresses,
        engine: docker.DockerEngine,
        *,
        gateway_port: int,
    ) -> None:
        """A stack that keeps its state and logs in `folder` and runs containers on `engine`."""
        self.name = name
        self.folder = folder
        self.addresses = addresses
        self.engine = engine
        self.gateway = f"http://{LOOPBACK}:{gateway_port}"
        """The URL at which it speaks ECS's wire."""
        self.credentials = UNVERIFIED
        """What requests to it are signed with; an access key of the stack's own where signatures are verified."""
        self.agents: list[Path] = []
        """State folders of its agents."""
        self.metrics: list[str] = []
        """host:port of each page of metrics."""
        self.introspection: list[str] = []
        """host:port of each agent's introspection."""
        self.processes: dict[str, ServerProcess] = {}
        self._ready: dict[str, Callable[[], bool]] = {}

    @property
    def variables(self) -> dict[str, str]:
        """What a client's environment needs to find this stack, be it Longshore's or one that speaks ECS."""
        return {
            **self.components,
            "LONGSHORE_GATEWAY": self.gateway.removeprefix("http://"),
            "AWS_ENDPOINT_URL_ECS": self.gateway,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            # Nothing of this machine's own, and no search for a metadata service that is not there.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def components(self) -> dict[str, str]:
        """The part of `variables` that components themselves are told."""
        return {
            "LONGSHORE_REGISTRY": ",".join(self.addresses.registry),
            "LONGSHORE_SCHEDULER": ",".join(self.addresses.scheduler),
            "LONGSHORE_STATE_TRACKER": ",".join(self.addresses.state_tracker),
        }

    def add(self, name: str, command: Sequence[str], environ: Mapping[str, str], ready: Callable[[], bool]) -> None:
        """Add a component; `ready` says whether it serves."""
        words = ["env", *(f"{key}={value}" for key, value in environ.items()), sys.executable, *command]
        self.processes[name] = ServerProcess(name, words, log=self.folder / f"{name}.log")
        self._ready[name] = ready

    def start(self, *names: str) -> None:
        """Start components (all when none is named) and wait until each serves."""
        for name in names or tuple(self.processes):
            self.processes[name].start(self._ready[name])

    def stop(self) -> None:
        """End everything, the last started first, and remove its containers."""
        for process in reversed(self.processes.values()):
            process.stop()
        for folder in self.agents:
            home = container_names.home_of(socket.gethostname(), str(folder.resolve()))
            self.engine.remove_labelled(f"{container_names.HOME}={home}")

    def client(self, *, deadline_s: float = 30.0) -> clients.Client:
        """A client of this stack."""
        return clients.Client(addresses=self.addresses, deadline_s=deadline_s)

    def command(self, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the `longshore` command against this stack."""
        done = subprocess.run(
            [sys.executable, "-m", "longshore.cli", *words],
            env=environment() | self.variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_BOUND_S,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"longshore {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def logs(self) -> str:
        """The end of every component's log, for a failed test."""
        found = [path for path in sorted(self.folder.rglob("*.log")) if path.is_file()]
        return "\n".join(
            f"--- {path.relative_to(self.folder)}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-40:])
            for path in found
        )


def environment() -> dict[str, str]:
    """This process's environment without what would lead a command elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LONGSHORE_", "AWS_"))}


def healthy(address: str) -> Callable[[], bool]:
    """Whether a component's health check says SERVING."""
    return lambda: asyncio.run(probe.check(address, timeout_s=1.0)) == "SERVING"


def serves_http(url: str) -> Callable[[], bool]:
    """Whether a gateway says that it is ready, and so that all behind it are."""
    return lambda: http_probe.check(url, timeout_s=HTTP_TIMEOUT_S) == http_probe.SERVING


def joined(stack: Stack) -> bool:
    """Whether an instance has its agent connected."""

    async def ask() -> bool:
        async with stack.client(deadline_s=1.0) as client:
            request = state_tracker_service_pb2.ListContainerInstancesRequest()
            arns = (await client.call(client.state_tracker.ListContainerInstances, request)).container_instance_arns
            if not arns:
                return False
            describe = state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=arns)
            found = await client.call(client.state_tracker.DescribeContainerInstances, describe)
            return any(instance.agent_connected for instance in found.container_instances)

    with contextlib.suppress(errors.ServiceError):
        return asyncio.run(ask())
    return False


QUICK = {"LONGSHORE_TASK_METADATA_ADDRESS": "none", "LONGSHORE_STATISTICS_INTERVAL": "1"}
"""Agents' settings in tests that are about something else: no network of their own on the shared engine, and nothing to wait for."""


def embedded(
    folder: Path, engine: docker.DockerEngine, *, agent: bool = True, agent_settings: Mapping[str, str] = QUICK
) -> Stack:
    """`longshore up`, with an agent unless told otherwise, not yet started."""
    base = ports.free_range(len(holder.ports(0)))
    stack = Stack("embedded", folder, control_plane.client_addresses(base), engine, gateway_port=base)
    folders = config.folders(folder / "state")
    command = ["-m", "longshore.embedded", "up", "--state-dir", str(folders.state), "--port-base", str(base)]

    def ready() -> bool:
        running = holder.read(folders.state)
        return running is not None and running.ready and (joined(stack) or not agent)

    if agent:
        stack.agents.append(folders.agent)
        stack.introspection.append(f"{LOOPBACK}:{config.introspection_port(base)}")
    else:
        command.append("--no-agent")
    settings = {"LONGSHORE_DOCKER_HOST": engine.url, **agent_settings}
    stack.add("up", command, settings | _metrics(stack), ready)
    return stack


def distributed(folder: Path, engine: docker.DockerEngine, *, database_url: str, events_url: str) -> Stack:
    """Each component a process of its own, schedulers and state-trackers twice, over PostgreSQL and Redis; not yet started.

    Its gateway verifies signatures: `credentials` are those of an administrator's key once it runs.
    """
    replicas = {"registry": 1, "scheduler": 2, "state_tracker": 2}
    at = {name: tuple(f"{LOOPBACK}:{ports.free_port()}" for _ in range(count)) for name, count in replicas.items()}
    told = client_addresses.Addresses(at["registry"], at["scheduler"], at["state_tracker"])
    stack = Stack("distributed", folder, told, engine, gateway_port=ports.free_port())
    shared = stack.components | {"LONGSHORE_DATABASE_URL": database_url, "LONGSHORE_EVENTS_URL": events_url}
    sealing = {"LONGSHORE_SEAL_KEY_FILE": str(folder / "seal.key"), "LONGSHORE_MAKE_SEAL_KEY": "true"}
    for component, addresses in at.items():
        for number, address in enumerate(addresses, start=1):
            name = f"{component}-{number}".replace("_", "-")
            command = ["-m", f"longshore.{component}", "--listen", address]
            own = sealing if component == "registry" else {}
            stack.add(name, command, shared | own | _metrics(stack), healthy(address))
    command = ["-m", "longshore.gateway", "--listen", stack.gateway.removeprefix("http://")]
    stack.add("gateway", command, stack.components | _metrics(stack), serves_http(stack.gateway))
    add_agent(stack, "agent")
    return stack


def _metrics(stack: Stack) -> dict[str, str]:
    """The variable that has one more process of the stack serve its metrics."""
    stack.metrics.append(f"{LOOPBACK}:{ports.free_port()}")
    return {"LONGSHORE_METRICS_LISTEN": stack.metrics[-1]}


def add_agent(stack: Stack, name: str, *, environ: Mapping[str, str] | None = None) -> None:
    """Add an agent on the stack's engine; it is ready when the stack has an instance that is connected."""
    stack.agents.append(stack.folder / name)
    stack.introspection.append(f"{LOOPBACK}:{ports.free_port()}")
    settings = stack.components | {
        "LONGSHORE_DOCKER_HOST": stack.engine.url,
        "LONGSHORE_STATE_DIR": str(stack.folder / name),
        "LONGSHORE_INTROSPECTION_PORT": stack.introspection[-1].rpartition(":")[2],
        "LONGSHORE_PUBLISH_ADDRESS": LOOPBACK,
        **QUICK,
    }
    stack.add(name, ["-m", "longshore.agent"], settings | dict(environ or {}), lambda: joined(stack))


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start a stack with its cluster, and end it with whatever it runs."""
    try:
        first = [name for name in stack.processes if not name.startswith("agent")]
        stack.start(*first)
        asyncio.run(_prepare(stack))
        stack.start()
        yield stack
    finally:
        stack.stop()


async def _prepare(stack: Stack) -> None:
    """Make the cluster that agents join and, where signatures are verified, the key that tests sign with."""
    async with stack.client() as client:
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        if stack.name == "distributed":
            request = registry_service_pb2.CreateAccessKeyRequest(name="tests", role=options_pb2.ROLE_ADMIN)
            made = await client.call(client.registry.CreateAccessKey, request)
            stack.credentials = Credentials(made.access_key.access_key_id, made.secret_access_key)
