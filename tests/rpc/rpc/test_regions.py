"""Callers that speak of a region: their own is served, another one only where the server is told to."""

from typing import Any

import pytest

from longshore.rpc import caller, channels, errors
from tests.rpc.rpc import tiny

ABROAD = ((caller.REGION_KEY, "eu-west-1"),)


async def first(responses: Any) -> Any:
    async for response in responses:
        return response
    return None


async def test_another_region_is_refused_with_both_names_before_anything_is_done() -> None:
    behaviour = tiny.Behaviour()
    async with tiny.running(behaviour) as serving, channels.connect(serving.address, metadata=ABROAD) as channel:
        with pytest.raises(errors.InvalidParameterException, match=r"Your region is eu-west-1\. .* us-east-1\."):
            await tiny.registry(channel).ListClusters(tiny.ask())
        with pytest.raises(errors.InvalidParameterException, match=r"eu-west-1"):
            await first(tiny.tracker(channel).WatchEvents(tiny.watch()))
    assert behaviour.seen == []


async def test_the_servers_own_region_and_none_are_served() -> None:
    behaviour = tiny.Behaviour()
    home = ((caller.REGION_KEY, "eu-west-1"),)
    async with tiny.running(behaviour, "--region=eu-west-1") as serving:
        async with channels.connect(serving.address, metadata=home) as channel:
            await tiny.registry(channel).ListClusters(tiny.ask())
        async with channels.connect(serving.address) as channel:
            await tiny.registry(channel).ListClusters(tiny.ask())
    assert [who.region for who in behaviour.seen] == ["eu-west-1", "eu-west-1"]


async def test_a_server_of_any_region_serves_each_caller_in_its_own() -> None:
    behaviour = tiny.Behaviour()
    async with (
        tiny.running(behaviour, "--any-region") as serving,
        channels.connect(serving.address, metadata=ABROAD) as channel,
    ):
        await tiny.registry(channel).ListClusters(tiny.ask())
    assert [who.region for who in behaviour.seen] == ["eu-west-1"]
