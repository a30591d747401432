"""Whether the agent of this stack has joined: said once, or why it has not."""

import asyncio
import contextlib
from pathlib import Path

from longshore.client import client as clients
from longshore.embedded.saying import say
from longshore.v1 import state_tracker_service_pb2

TIMEOUT_S = 15.0
"""How long the start waits for the agent before it says that it takes long."""


class Joining:
    """Puts together what the agent's process and the cluster's events tell."""

    def __init__(self) -> None:
        self._said = ""
        self._joined = False
        self._failed = asyncio.Event()

    def ended(self, message: str) -> None:
        """Take note that the agent has ended, and say why, once for each cause."""
        if message != self._said:
            say(
                "The agent has ended, and is started again; what it runs goes on."
                if self._joined
                else "The agent cannot work on this host; until it does, nothing can run here. It is tried again."
            )
            for line in message.splitlines():
                say(f"  {line}")
        self._said = message
        self._failed.set()

    async def tell(self, client: clients.Client, log: Path) -> None:
        """Return once the agent has joined, has failed, or takes long; each is said."""
        joined = asyncio.ensure_future(_joined(client))
        failed = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.wait((joined, failed), timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if joined.done():
                self._joined = True
                say(f"This host has joined cluster default as {joined.result()}.")
            elif not failed.done():
                say(f"The agent has not joined yet; it goes on trying. Its log is {log}.")
        finally:
            for task in (joined, failed):
                task.cancel()
            await asyncio.gather(joined, failed, return_exceptions=True)


async def _joined(client: clients.Client) -> str:
    """Wait until an instance of the cluster has its agent connected; its id."""
    listing = state_tracker_service_pb2.ListContainerInstancesRequest()
    async with contextlib.aclosing(client.watch()) as batches:
        async for _ in batches:
            arns = (await client.call(client.state_tracker.ListContainerInstances, listing)).container_instance_arns
            if not arns:
                continue
            request = state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=arns)
            found = await client.call(client.state_tracker.DescribeContainerInstances, request)
            for instance in found.container_instances:
                if instance.agent_connected:
                    return instance.container_instance_arn.rpartition("/")[2]
    raise AssertionError("a watch does not end")
