"""A gateway in front of a registry, a scheduler and a state-tracker that really serve, over one SQLite file."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshore.client import addresses
from longshore.client import client as clients
from longshore.events import memory_bus
from longshore.gateway import app, metrics, wire
from longshore.gateway import config as gateway_config
from longshore.metrics import exposition
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import server
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage import database as databases
from tests.engines import ports

BOUND_S = 20.0
"""Longer than anything here takes on a busy machine."""

JSON = {"content-type": wire.MEDIA_TYPE}


@dataclass(slots=True)
class ControlPlane:
    """The three components; each can be stopped."""

    at: addresses.Addresses
    database: databases.Database
    bus: memory_bus.MemoryBus
    stops: dict[str, contextlib.AsyncExitStack] = field(default_factory=dict)

    async def stop(self, name: str) -> None:
        """End one component."""
        await self.stops.pop(name).aclose()


@contextlib.asynccontextmanager
async def control_plane(
    folder: Path, *, any_region: bool = True, region: str = "us-east-1"
) -> AsyncIterator[ControlPlane]:
    """Serve the components inside the block."""
    first, second, third = (f"127.0.0.1:{ports.free_port()}" for _ in range(3))
    at = addresses.Addresses((first,), (second,), (third,))
    shared: dict[str, Any] = {
        "registry": at.registry,
        "scheduler": at.scheduler,
        "state_tracker": at.state_tracker,
        "any_region": any_region,
        "region": region,
        "state_dir": folder,
    }
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(f"sqlite://{folder}/state.db")
        stack.push_async_callback(database.close)
        plane = ControlPlane(at, database, memory_bus.MemoryBus())
        stack.push_async_callback(_close_all, plane)
        registry = registry_config.Config(listen=first, seal_key_file=folder / "seal.key", make_seal_key=True, **shared)
        scheduler = scheduler_config.Config(listen=second, **shared)
        tracker = tracker_config.Config(listen=third, **shared)
        on: dict[str, Any] = {"database": database, "bus": plane.bus}
        for name, serving in (
            ("registry", registry_app.serve(registry, **on)),
            ("scheduler", scheduler_app.serve(scheduler, **on)),
            ("state_tracker", tracker_app.serve(tracker, **on)),
        ):
            plane.stops[name] = contextlib.AsyncExitStack()
            await plane.stops[name].enter_async_context(serving)
        yield plane


async def _close_all(plane: ControlPlane) -> None:
    for name in ("state_tracker", "scheduler", "registry"):
        if name in plane.stops:
            await plane.stop(name)


def settings(at: addresses.Addresses, **given: Any) -> gateway_config.Config:
    """What a gateway of a stack on loopback is told, but for what is given."""
    usual: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "any_region": True,
        "verify": gateway_config.WHEN_KEYS_EXIST,
        "registry": at.registry,
        "scheduler": at.scheduler,
        "state_tracker": at.state_tracker,
    }
    return gateway_config.Config(**(usual | given))


@dataclass(slots=True)
class Stack:
    """A gateway and what is behind it."""

    plane: ControlPlane
    serving: server.Running
    client: clients.Client
    shown: exposition.Sources
    peers: list["Peer"] = field(default_factory=list)

    @property
    def address(self) -> str:
        """host:port of the gateway."""
        return self.serving.address

    @property
    def url(self) -> str:
        """URL of the gateway."""
        return f"http://{self.address}"

    async def connect(self) -> "Peer":
        """A connection of bytes; closed with the stack, if not before."""
        self.peers.append(await connect(self.address))
        return self.peers[-1]

    async def call(
        self, operation: str, document: object = None, *, body: bytes | None = None, **headers: str
    ) -> "Answer":
        """One request of an operation, unsigned, on a connection of its own; underscores of a header's name are dashes."""
        async with contextlib.aclosing(await self.connect()) as peer:
            return await peer.call(operation, document, body=body, **headers)


@contextlib.asynccontextmanager
async def stack(folder: Path, **given: Any) -> AsyncIterator[Stack]:
    """Serve everything inside the block; `given` are settings of the gateway."""
    shown = exposition.Sources()
    async with (
        control_plane(folder) as plane,
        clients.Client(addresses=plane.at) as client,
        app.serve(settings(plane.at, **given), shown=shown) as serving,
    ):
        served = Stack(plane, serving, client, shown)
        try:
            yield served
        finally:
            for peer in served.peers:
                await peer.aclose()


def measured(shown: exposition.Sources) -> metrics.Metrics:
    """The numbers of the gateway among those that are shown."""
    return next(source.measured for source in shown.all if isinstance(source.measured, metrics.Metrics))


async def reached(holds: Callable[[], bool]) -> None:
    """Let the event loop, which the gateway runs in as well, turn until something holds."""
    async with asyncio.timeout(BOUND_S):
        while not holds():  # noqa: ASYNC110 - plain numbers cannot be awaited
            await asyncio.sleep(0)


# ------------------------------------------------------------------------------------------- HTTP as it is on the wire


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The name of the refusal."""
        return str(self.json["__type"])


class Peer:
    """A client that sends what it is told, byte by byte if need be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head: bool = False) -> Answer:
        """Read one answer; `head` for one to HEAD, which has no body whatever its headers say."""
        async with asyncio.timeout(BOUND_S):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in lines[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            length = 0 if head else int(headers.get("content-length", "0"))
            return Answer(int(lines[0].split()[1]), headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything until the other side closes, which it has to; a reset counts as an end."""
        async with asyncio.timeout(BOUND_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""

    async def call(
        self, operation: str, document: object = None, *, body: bytes | None = None, **headers: str
    ) -> Answer:
        """One request of an operation."""
        await self.send(request(operation, document, body=body, **headers))
        return await self.answer()

    async def aclose(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(address: str) -> Peer:
    """A connection to an address."""
    host, _, port = address.rpartition(":")
    return Peer(*await asyncio.open_connection(host, int(port)))


def request(operation: str, document: object = None, *, body: bytes | None = None, **headers: str) -> bytes:
    """A whole request of an operation; a header given replaces the usual one, an empty one leaves it out."""
    sent = json.dumps({} if document is None else document).encode() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    usual = {"host": "127.0.0.1", "x-amz-target": wire.PREFIX + operation, **JSON, "content-length": str(len(sent))}
    return raw("POST", "/", (usual | named).items(), sent)


def raw(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes = b"", version: str = "1.1") -> bytes:
    """A request with exactly these headers, but those that are empty."""
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
