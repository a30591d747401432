"""20,000 tasks fill 200 simulated instances to the last place: every one RUNNING once, nothing over-committed, nothing untold."""

import asyncio
from pathlib import Path

from longshore.v1 import task_pb2
from tests.engines.postgres import PostgresServer
from tests.engines.redis import RedisServer
from tests.integration.fleet import large

SIZE = large.Size(instances=200, tasks=20_000, bound_s=240.0)
"""Within a minute on an idle machine; the bound is for a busy one."""
TOLD = [task_pb2.TASK_STATUS_PENDING, task_pb2.TASK_STATUS_RUNNING]


def test_a_fleet_is_filled_to_the_last_place(
    tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    url = postgres.create_database()
    with large.control_plane(tmp_path, url, redis_server.fresh_url()) as plane:
        outcome = asyncio.run(large.run(plane, SIZE))
        found = asyncio.run(large.stored(url))
    assert len(set(outcome.task_ids)) == len(outcome.task_ids) == SIZE.tasks
    assert set(outcome.task_ids) == outcome.statuses.keys()
    assert all(told == TOLD for told in outcome.statuses.values())
    assert outcome.sequences == list(range(outcome.sequences[0], outcome.sequences[0] + len(outcome.sequences)))
    assert outcome.fleet["running"] == outcome.fleet["started"] == SIZE.tasks
    assert (found.intents, found.running) == (SIZE.tasks, SIZE.tasks)
    assert found.unreleased_cpu == (SIZE.cpu,) * SIZE.instances
    assert found.counted == (0, SIZE.tasks)
    assert found.events >= 2 * SIZE.tasks
