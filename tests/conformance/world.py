"""A whole Longshore in a thread: control plane, gateway and two agents without containers, spoken to through boto3 over HTTP."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore import config as boto_config

from longshore.agent import app as agent_app
from longshore.agent import pulls, runtime
from longshore.agent.settings import config as agent_config
from longshore.agent.simulated import simulated_runtime, simulated_timing
from longshore.events import bus as buses
from longshore.gateway import app as gateway_app
from longshore.gateway import config as gateway_config
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as state_tracker_app
from longshore.state_tracker import config as state_tracker_config
from longshore.storage import database as databases
from tests.conformance import answers
from tests.engines import ports

ACCOUNT = "123456789012"
REGION = "us-east-1"
IMAGE = "app:1"
"""The one image that the agents' hosts have. Its containers run until they are stopped, or do what `exit N` says."""
PULLED_IMAGE = "pulled:1"
"""An image that has to be fetched first."""
MISSING_IMAGE = "missing:1"
"""An image that is nowhere."""
CLUSTER = "default"
START_BOUND_S = 30.0
WAIT_S = 20.0
"""Everything happens within milliseconds; this is for a machine that is busy."""

VOLUME_DRIVER = "tests"
"""A driver of volumes that the hosts have beside the usual one."""

_EVENTS = "memory://"
_LOOPBACK = "127.0.0.1"
_ENGINE = runtime.EngineInfo(
    engine_id="simulated",
    name="host",
    version="27.3.1",
    api_version=(1, 47),
    cpus=4,
    memory_bytes=16 * 1024**3,
    os_type="linux",
    architecture="x86_64",
    logging_drivers=frozenset({"json-file", "syslog"}),
    security_options=frozenset({"apparmor"}),
    volume_drivers=frozenset({"local", VOLUME_DRIVER}),
)


def client(url: str, **settings: Any) -> Any:
    """A boto3 client that tells of everything at once and repeats nothing."""
    return boto3.client(
        "ecs",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=boto_config.Config(retries={"total_max_attempts": 1}, max_pool_connections=4, **settings),
    )


@dataclass(slots=True)
class World:
    """The stack as its user sees it."""

    url: str
    ecs: Any
    """boto3's client; what it is answered is checked against ECS's model before anybody looks at it."""
    seen: answers.Seen
    at: Mapping[str, str]
    """Where the components listen."""
    loop: asyncio.AbstractEventLoop
    """The loop of the thread that the stack runs in."""

    @contextlib.contextmanager
    def host(self, folder: Path, cluster: str) -> Iterator[None]:
        """One more host for the time of the block, in a cluster that has no other. What runs on it stays with its agent gone."""
        leave = asyncio.Event()

        async def stay() -> None:
            async with _agent(folder, 2, self.at, cluster=cluster):
                await leave.wait()

        staying = asyncio.run_coroutine_threadsafe(stay(), self.loop)
        self.wait(lambda: staying.done() or _connected(self.ecs, cluster) == 1)
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(leave.set)
            staying.result(START_BOUND_S)
        self.wait(lambda: _connected(self.ecs, cluster) == 0)

    def instance(self) -> str:
        """ARN of one instance whose agent is connected, in the default cluster."""
        found: str = self.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"][0]
        return found

    def wait(self, holds: Callable[[], bool]) -> None:
        """Ask until it holds; every answer takes the service's own time, so nothing is slept for."""
        bound = threading.Event()
        timer = threading.Timer(WAIT_S, bound.set)
        timer.start()
        try:
            while not holds():
                assert not bound.is_set(), "it never came to hold"
        finally:
            timer.cancel()

    def ended(self, task: str, cluster: str = CLUSTER) -> Mapping[str, Any]:
        """A task once it has STOPPED."""
        self.wait(lambda: self._task(task, cluster)["lastStatus"] == "STOPPED")
        return self._task(task, cluster)

    def running(self, task: str, cluster: str = CLUSTER) -> Mapping[str, Any]:
        """A task once it is RUNNING."""
        self.wait(lambda: self._task(task, cluster)["lastStatus"] == "RUNNING")
        return self._task(task, cluster)

    def _task(self, task: str, cluster: str) -> Mapping[str, Any]:
        (found,) = self.ecs.describe_tasks(cluster=cluster, tasks=[task], include=["TAGS"])["tasks"]
        shown: Mapping[str, Any] = found
        return shown


@contextlib.contextmanager
def running(folder: Path) -> Iterator[World]:
    """The stack for the time of the block, in a thread with an event loop of its own."""
    address: list[str] = []
    at = {name: f"{_LOOPBACK}:{ports.free_port()}" for name in ("registry", "scheduler", "state_tracker")}
    failure: list[BaseException] = []
    up, loop, down = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def live() -> None:
        async with _stack(folder, at) as gateway:
            address.append(gateway)
            up.set()
            await down.wait()

    def run() -> None:
        try:
            loop.run_until_complete(live())
        except BaseException as error:  # noqa: BLE001 - told to the waiting thread
            failure.append(error)
        finally:
            up.set()
            loop.close()

    thread = threading.Thread(target=run, name="longshore", daemon=True)
    thread.start()
    assert up.wait(START_BOUND_S), "the stack did not start"
    if failure:
        raise failure[0]
    seen = answers.Seen()
    url = f"http://{address[0]}"
    made = World(url, client(url), seen, at, loop)
    made.ecs.meta.events.register("before-parse.ecs", seen.check)
    made.wait(lambda: _connected(made.ecs, CLUSTER) == 2)
    try:
        yield made
    finally:
        made.ecs.close()
        loop.call_soon_threadsafe(down.set)
        thread.join(START_BOUND_S)
    if failure:
        raise failure[0]


def _connected(ecs: Any, cluster: str) -> int:
    arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    if not arns:
        return 0
    found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"]
    return sum(instance["agentConnected"] for instance in found)


@contextlib.asynccontextmanager
async def _stack(folder: Path, at: Mapping[str, str]) -> AsyncIterator[str]:
    """Control plane, agents and gateway; gives the gateway's address."""
    url = f"sqlite://{folder / 'state.db'}"
    told: dict[str, Any] = {name: (address,) for name, address in at.items()}
    told |= {"account": ACCOUNT, "region": REGION, "any_region": True}
    kept = told | {"database_url": url, "events_url": _EVENTS, "state_dir": folder}
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(url)
        stack.push_async_callback(database.close)
        bus = await buses.open_bus(_EVENTS)
        stack.push_async_callback(bus.close)
        seal: dict[str, Any] = {"seal_key_file": folder / "seal.key", "make_seal_key": True}
        shared: dict[str, Any] = {"database": database, "bus": bus}
        registry = registry_config.Config(listen=at["registry"], **kept, **seal)
        await stack.enter_async_context(registry_app.serve(registry, **shared))
        scheduler = scheduler_config.Config(listen=at["scheduler"], **kept)
        await stack.enter_async_context(scheduler_app.serve(scheduler, **shared))
        tracker = state_tracker_config.Config(listen=at["state_tracker"], **kept)
        await stack.enter_async_context(state_tracker_app.serve(tracker, **shared))
        for number in range(2):
            await stack.enter_async_context(_agent(folder / f"agent-{number}", number, at))
        gateway = gateway_config.Config(listen=f"{_LOOPBACK}:0", verify=gateway_config.WHEN_KEYS_EXIST, **told)
        serving = await stack.enter_async_context(gateway_app.serve(gateway))
        yield serving.address


@contextlib.asynccontextmanager
async def _agent(folder: Path, number: int, at: Mapping[str, str], *, cluster: str = CLUSTER) -> AsyncIterator[None]:
    host = simulated_runtime.SimulatedRuntime(
        info=_ENGINE,
        images={IMAGE: pulls.CachedImage(f"sha256:{'1' * 64}", f"sha256:{'2' * 64}")},
        registry={PULLED_IMAGE: pulls.CachedImage(f"sha256:{'3' * 64}", f"sha256:{'4' * 64}")},
        source=random.Random(number),
        clock=agent_app.now_us,
        timing=simulated_timing.INSTANT,
        life=_life,
    )
    settings = agent_config.Config(
        cluster=cluster,
        state_dir=folder,
        image_pull_behavior="prefer-cached",
        introspection_port=0,
        task_metadata_address="none",
        registry=(at["registry"],),
        state_tracker=(at["state_tracker"],),
        instance_attributes=(f"ecs.availability-zone=zone-{'abc'[number]}",),
        instance_tags=("team=web",),
        gpu_ids=tuple(f"GPU-{each}" for each in range(16)),
    )
    async with agent_app.serving(
        settings,
        environ={},
        version="1.2.3",
        container_runtime=host,
        task_groups=simulated_runtime.SimulatedGroups(),
        source=random.Random(number),
    ):
        yield


def _life(body: Mapping[str, Any]) -> simulated_runtime.Life:
    """`exit N` ends at once with N; everything else runs until it is stopped."""
    command = list(body.get("Cmd") or ())
    if command[:1] == ["exit"]:
        return simulated_runtime.Life(runs_s=0.0, exit_code=int(command[1]))
    return simulated_runtime.Life()
