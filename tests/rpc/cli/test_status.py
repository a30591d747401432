"""`longshore status` against a whole control plane with agents that have no containers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer import testing

from longshore.cli import exits
from longshore.client import addresses, probing
from longshore.rpc import errors, server
from longshore.storage import database, sessions
from longshore.storage import errors as storage_errors
from longshore.storage.dialect import Dialect
from longshore.v1 import registry_service_pb2, scheduler_service_pb2
from tests.rpc.cli.test_commands import longshore
from tests.rpc.state_tracker import fake_agent, plane


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy is not what is looked for."""
    monkeypatch.setattr(probing, "TIMEOUT_S", 20.0)
    monkeypatch.setattr(server, "STANDING_TIMEOUT_S", 10.0)


class Breakable:
    """A database that can be told to be away."""

    def __init__(self, real: database.Database) -> None:
        self._real = real
        self.away = False

    @property
    def dialect(self) -> Dialect:
        return self._real.dialect

    @property
    def sessions(self) -> sessions.Sessions | None:
        return self._real.sessions

    async def run(self, work: Any) -> Any:
        self._check()
        return await self._real.run(work)

    async def read(self, work: Any) -> Any:
        self._check()
        return await self._real.read(work)

    async def close(self) -> None:
        await self._real.close()

    def _check(self) -> None:
        if self.away:
            raise storage_errors.Unavailable("the database is away")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Breakable]:
    opened = Breakable(await database.open_database(f"sqlite://{tmp_path}/state.db"))
    yield opened
    await opened.close()


async def status(at: plane.Addresses, *options: str) -> testing.Result:
    where = addresses.Addresses((at.registry,), (at.scheduler,), (at.tracker,))
    return await asyncio.to_thread(longshore, where, *options, "status")


def document(result: testing.Result) -> Any:
    """What the command printed. The components, which are in this process, write their log to the same output meanwhile."""
    return json.JSONDecoder().raw_decode(result.stdout, result.stdout.index("{\n"))[0]


async def test_leaders_lags_sessions_and_what_each_component_reaches(db: Breakable) -> None:
    async with plane.serving(db) as at, plane.seen_from("us-east-1", at) as seen:
        await seen.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="web"))
        await seen.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="idle"))
        registered = [await seen.tracker.RegisterContainerInstance(fake_agent.registration()) for _ in range(2)]
        instance_id = registered[0].container_instance.container_instance_arn.rpartition("/")[2]
        connected = fake_agent.Identity(instance_id, registered[0].instance_credential)
        with pytest.raises(errors.ClientException):  # it leads from now on
            await seen.scheduler.RunTask(scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="none"))
        async with fake_agent.session(at.tracker, connected) as agent:
            await agent.assigned()
            as_json, table = await status(at, "--output", "json"), await status(at)

    told = document(as_json)
    assert (as_json.exit_code, table.exit_code) == (0, 0), table.output
    reaches = {found["component"]: (found["database"], found["events"]) for found in told["components"]}
    assert reaches == {
        "registry": ("SERVING", ""),
        "scheduler": ("SERVING", "SERVING"),
        "state-tracker": ("SERVING", "SERVING"),
    }
    clusters = {found["cluster"]: found for found in told["clusters"]}
    web = clusters["web"]
    assert (web["instances"], web["connectedInstances"]) == (2, 1)
    assert (web["leader"], web["epoch"]) == (at.scheduler, 1)
    assert web["events"] >= 3
    assert (clusters["idle"]["leader"], clusters["idle"]["epoch"], clusters["idle"]["events"]) == ("", 0, 0)
    (tracker,) = told["stateTrackers"]
    assert (tracker["address"], tracker["cluster"], tracker["sessions"]) == (at.tracker, "web", 1)
    assert tracker["lag"] == web["events"] - tracker["position"]
    for column in ("DATABASE", "EVENTS", "CONNECTED", "EPOCH", "STATE-TRACKER", "SESSIONS", "EVENTS BEHIND"):
        assert column in table.stdout


async def test_a_database_that_is_away_is_shown_at_each_component_that_serves_without_it(db: Breakable) -> None:
    async with plane.serving(db) as at:
        db.away = True
        done = await status(at, "--output", "json")
        db.away = False
    told = document(done)
    assert done.exit_code == exits.FAILED
    assert [found["state"] for found in told["components"]] == ["SERVING"] * 3
    assert [found["database"] for found in told["components"]] == ["NOT_SERVING"] * 3
    assert (told["clusters"], told["stateTrackers"]) == ([], [])
