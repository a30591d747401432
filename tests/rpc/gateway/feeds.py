"""A reader of server-sent events, as a browser's EventSource reads them, and something that happens for it to read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from longshore.client import client as clients
from longshore.v1 import (
    common_pb2,
    container_instance_pb2,
    registry_service_pb2,
    state_tracker_service_pb2,
)
from tests.rpc.gateway import world


@dataclass(slots=True)
class Feed:
    """One stream, and what it has told."""

    peer: world.Peer
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    last_id: str = ""
    comments: int = 0
    kinds: list[str] = field(default_factory=list)
    _pending: bytes = b""

    async def event(self) -> Any:
        """The next event's data."""
        async with asyncio.timeout(world.BOUND_S):
            while True:
                fields = await self._message()
                if "data" in fields:
                    self.kinds.append(fields["event"])
                    return json.loads(fields["data"])

    async def sequences(self, count: int) -> list[int]:
        """The numbers of the next so many events."""
        return [(await self.event())["sequence"] for _ in range(count)]

    async def beginning(self) -> None:
        """Wait for the stream's position."""
        async with asyncio.timeout(world.BOUND_S):
            while not self.last_id:
                await self._message()

    async def comment(self) -> None:
        """Wait for the next comment."""
        seen = self.comments
        async with asyncio.timeout(world.BOUND_S):
            while self.comments == seen:
                await self._message()

    async def end(self) -> None:
        """Wait until the stream ends as an answer should, and not by a broken connection."""
        async with asyncio.timeout(world.BOUND_S):
            with contextlib.suppress(EOFError):
                while True:
                    await self._message()

    async def _message(self) -> dict[str, str]:
        """The fields of the next message; a comment alone has none."""
        while b"\n\n" not in self._pending:
            size = int((await self.peer.reader.readuntil(b"\r\n")).strip(), 16)
            chunk = await self.peer.reader.readexactly(size + 2)
            if not size:
                raise EOFError
            self._pending += chunk[:-2]
        message, _, self._pending = self._pending.partition(b"\n\n")
        fields: dict[str, str] = {}
        for line in message.decode().split("\n"):
            if line.startswith(":"):
                self.comments += 1
                continue
            name, _, value = line.partition(": ")
            fields[name] = value
        # As a browser does: the id counts as soon as the message is whole, with data or without.
        self.last_id = fields.get("id", self.last_id)
        return fields


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds that tells nobody."""
    async with asyncio.timeout(world.BOUND_S):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def feed(address: str, query: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> AsyncIterator[Feed]:
    """A stream that has begun; cut off at the end of the block."""
    peer = await world.connect(address)
    try:
        target = f"/events?{query}" if query else "/events"
        await peer.send(world.raw("GET", target, [("host", address), *headers]))
        async with asyncio.timeout(world.BOUND_S):
            lines = (await peer.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        named = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        opened = Feed(peer, int(lines[0].split()[1]), named)
        assert opened.status == 200, await peer.reader.readexactly(int(named["content-length"]))
        yield opened
    finally:
        await peer.aclose()


async def refusal(address: str, query: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> world.Answer:
    """The answer to a stream that is not to begin."""
    async with contextlib.aclosing(await world.connect(address)) as peer:
        await peer.send(world.raw("GET", f"/events?{query}", [("host", address), *headers]))
        return await peer.answer()


@dataclass(slots=True)
class Happening:
    """A cluster with instances, whose states change as told: one event each."""

    client: clients.Client
    cluster: str
    instances: list[str]
    active: bool = True

    async def change(self, times: int = 1) -> None:
        """Make so many events of the first instance, one after the other."""
        for _ in range(times):
            await self._set(self.instances[:1])

    async def change_all(self) -> None:
        """Make an event of every instance, all at once; those count that are in the state of the others."""
        await self._set(self.instances)

    async def _set(self, instances: list[str]) -> None:
        self.active = not self.active
        status = (
            container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
            if self.active
            else container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
        )
        await self.client.call(
            self.client.state_tracker.UpdateContainerInstancesState,
            state_tracker_service_pb2.UpdateContainerInstancesStateRequest(
                cluster=self.cluster, container_instances=instances, status=status
            ),
        )


async def happening(client: clients.Client, cluster: str = "web", *, instances: int = 1) -> Happening:
    """A new cluster with instances; each has made one event already."""
    await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest(cluster_name=cluster))
    made = Happening(client, cluster, [])
    for _ in range(instances):
        answer = await client.call(
            client.state_tracker.RegisterContainerInstance,
            state_tracker_service_pb2.RegisterContainerInstanceRequest(
                cluster=cluster,
                total_resources=[
                    common_pb2.Resource(name="CPU", type="INTEGER", integer_value=1024),
                    common_pb2.Resource(name="MEMORY", type="INTEGER", integer_value=1024),
                ],
                version_info=common_pb2.VersionInfo(agent_version="1.0", docker_version="DockerVersion: 27.0"),
                attributes=[
                    common_pb2.Attribute(name="ecs.availability-zone", value="zone-a"),
                    common_pb2.Attribute(name="ecs.cpu-architecture", value="x86_64"),
                ],
            ),
        )
        made.instances.append(answer.container_instance.container_instance_arn)
    return made
