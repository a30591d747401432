"""The readers of tasks, clusters and definitions, on both engines."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import astuple, replace
from typing import Any

import pytest

from longshore.storage import clusters, database, definitions, steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2, common_pb2, record_pb2, task_definition_pb2, task_pb2
from longshore.views import visible

RUNNING = task_pb2.DESIRED_STATUS_RUNNING
STOPPED = task_pb2.DESIRED_STATUS_STOPPED

INTENT = tasks.Intent(
    task_id="t", cluster="web", instance_id="i1", family="f", definition_revision=1, group_name="family:f", started_by="",
    launch_type=common_pb2.LAUNCH_TYPE_EC2, desired_status=RUNNING, stop_code=0, stopped_reason="", created_at=1,
    stopping_at=None, revision=1, assignment_revision=1, settled=False, cpu=256, memory=512, ports=None,
    body=record_pb2.TaskIntentRecord(principal="me").SerializeToString(),
)  # fmt: skip
OBSERVATION = tasks.Observation(
    task_id="t", cluster="web", instance_id="i1", last_status=task_pb2.TASK_STATUS_RUNNING, stop_code=0, stopped_reason="",
    stop_cause_at=None, started_at=5, stopped_at=None, released=False, revision=2, body=b"",
)  # fmt: skip


def store(*halves: tasks.Intent | tasks.Observation) -> Callable[[Dialect], steps.Step[None]]:
    def rows(kind: type) -> list[list[Any]]:
        return [
            [int(v) if isinstance(v, bool) else v for v in astuple(half)] for half in halves if isinstance(half, kind)
        ]

    def work(_: Dialect) -> steps.Step[None]:
        yield from steps.insert_many("task_intents", tasks.INTENT_COLUMNS, rows(tasks.Intent))
        yield from steps.insert_many("task_observations", tasks.OBSERVATION_COLUMNS, rows(tasks.Observation))

    return work


async def listed(
    db: database.Database, filters: tasks.Filters, *, after: str = "", limit: int = 100, cluster: str = "web"
) -> list[str]:
    return await db.read(lambda _: tasks.listed(cluster, filters, after, limit))


async def test_both_halves_come_back_as_they_were_written(db: database.Database) -> None:
    stopped = replace(OBSERVATION, task_id="b", released=True, stopped_at=9, stop_cause_at=8, body=b"x")
    await db.run(
        store(
            replace(INTENT, task_id="a", ports="[80]"),
            replace(INTENT, task_id="b", settled=True, stopping_at=7),
            stopped,
        )
    )
    found = await db.read(lambda d: tasks.by_ids(d, "web", ["a", "b", "absent"]))
    assert found == {
        "a": tasks.Halves(replace(INTENT, task_id="a", ports="[80]"), None),
        "b": tasks.Halves(replace(INTENT, task_id="b", settled=True, stopping_at=7), stopped),
    }
    assert (found["a"].version, found["b"].version) == (1, 3)
    assert found["a"].intent.record().principal == "me"
    assert await db.read(lambda d: tasks.intents(d, ["a"])) == {"a": found["a"].intent}
    assert await db.read(lambda d: tasks.observations(d, ["a", "b"])) == {"b": stopped}


async def test_a_task_of_another_cluster_is_not_found(db: database.Database) -> None:
    await db.run(store(INTENT))
    assert await db.read(lambda d: tasks.by_ids(d, "other", ["t"])) == {}
    assert await listed(db, tasks.Filters(), cluster="other") == []


async def test_each_filter_selects_by_its_own_column_and_all_together(db: database.Database) -> None:
    changes: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"instance_id": "i2"},
        "c": {"family": "g"},
        "d": {"started_by": "me"},
        "e": {"group_name": "service:s"},
        "f": {"launch_type": common_pb2.LAUNCH_TYPE_FARGATE},
        "g": {"instance_id": "i2", "family": "g", "started_by": "me", "launch_type": common_pb2.LAUNCH_TYPE_FARGATE},
    }
    await db.run(store(*(replace(INTENT, task_id=name, **change) for name, change in changes.items())))
    assert await listed(db, tasks.Filters()) == list("abcdefg")
    assert await listed(db, tasks.Filters(instance_id="i2")) == ["b", "g"]
    assert await listed(db, tasks.Filters(family="g")) == ["c", "g"]
    assert await listed(db, tasks.Filters(started_by="me")) == ["d", "g"]
    assert await listed(db, tasks.Filters(group_name="service:s")) == ["e"]
    assert await listed(db, tasks.Filters(launch_type=common_pb2.LAUNCH_TYPE_FARGATE)) == ["f", "g"]
    together = tasks.Filters("i2", "g", "me", "family:f", common_pb2.LAUNCH_TYPE_FARGATE, RUNNING)
    assert await listed(db, together) == ["g"]


async def test_the_status_filter_says_what_is_shown(db: database.Database) -> None:
    """Every combination of the two halves: SQL and `visible.state` must agree."""
    observed: Iterable[tuple[int | None, int | None]] = [
        (None, None),
        *itertools.product(
            (task_pb2.TASK_STATUS_PENDING, task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED), (None, 7)
        ),
    ]
    expected: dict[int, list[str]] = {RUNNING: [], STOPPED: []}
    for number, (desired, (status, cause)) in enumerate(itertools.product((RUNNING, STOPPED), observed)):
        intent = replace(INTENT, task_id=f"{number:02}", desired_status=desired)
        observation = (
            None
            if status is None
            else replace(OBSERVATION, task_id=intent.task_id, last_status=status, stop_cause_at=cause)
        )
        await db.run(store(intent, *([observation] if observation else [])))
        expected[visible.state(intent, observation).desired_status].append(intent.task_id)
    assert await listed(db, tasks.Filters(desired_status=RUNNING)) == expected[RUNNING] != []
    assert await listed(db, tasks.Filters(desired_status=STOPPED)) == expected[STOPPED] != []
    assert await listed(db, tasks.Filters(desired_status=task_pb2.DESIRED_STATUS_PENDING)) == []


async def test_settled_tasks_are_listed_as_stopped_and_not_as_running(db: database.Database) -> None:
    await db.run(store(replace(INTENT, settled=True), replace(OBSERVATION, last_status=task_pb2.TASK_STATUS_STOPPED)))
    assert await listed(db, tasks.Filters(desired_status=STOPPED)) == ["t"]
    assert await listed(db, tasks.Filters(desired_status=RUNNING)) == []


async def test_pages_are_not_shifted_by_tasks_that_come_meanwhile(db: database.Database) -> None:
    await db.run(store(*(replace(INTENT, task_id=f"{number:03}") for number in range(0, 100, 10))))
    seen: list[str] = []
    while page := await listed(db, tasks.Filters(desired_status=RUNNING), after=seen[-1] if seen else "", limit=3):
        seen += page
        if page[-1] >= "090":
            break
        # One that would have been on this page, one for the next.
        new = [f"{page[0]}-{len(seen)}", f"{page[-1]}-{len(seen)}"]
        await db.run(store(*(replace(INTENT, task_id=task_id) for task_id in new)))
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert {f"{number:03}" for number in range(0, 100, 10)} <= set(seen)


async def test_what_is_live_on_an_instance_leaves_history_out(db: database.Database) -> None:
    await db.run(
        store(
            replace(INTENT, task_id="a"),
            replace(INTENT, task_id="b", settled=True),
            replace(INTENT, task_id="c", instance_id="i2"),
            replace(INTENT, task_id="d", desired_status=STOPPED),
            replace(OBSERVATION, task_id="a"),
        )
    )
    live = await db.read(lambda _: tasks.live_on("i1"))
    assert [halves.intent.task_id for halves in live] == ["a", "d"]
    assert [halves.observation is None for halves in live] == [False, True]


async def test_running_tasks_are_found_by_the_index_over_what_is_live(postgresql: database.Database) -> None:
    history = [replace(INTENT, task_id=f"{number:05}", settled=True) for number in range(5_000)]
    await postgresql.run(store(*history, *(replace(INTENT, task_id=f"9999{number}") for number in range(5))))
    await postgresql.run(lambda _: steps.execute("ANALYZE task_intents"))
    query = next(tasks.listed("web", tasks.Filters(desired_status=RUNNING), "", 101))
    assert isinstance(query, steps.Query)
    plan = await postgresql.read(lambda _: steps.fetch(f"EXPLAIN {query.sql}", *query.args))
    assert "live_by_cluster" in "\n".join(row[0] for row in plan)


async def test_a_cluster_by_name_whatever_its_status(db: database.Database) -> None:
    body = cluster_pb2.Cluster(cluster_name="web").SerializeToString()
    for name, status in (("web", cluster_pb2.CLUSTER_STATUS_ACTIVE), ("old", cluster_pb2.CLUSTER_STATUS_INACTIVE)):
        await db.run(lambda _: steps.execute("INSERT INTO clusters VALUES ($1, $2, 3, $3)", name, status, body))  # noqa: B023 - awaited here
    web = await db.read(lambda _: clusters.by_name("web"))
    assert web == clusters.Cluster("web", cluster_pb2.CLUSTER_STATUS_ACTIVE, 3, body)
    assert web.active
    assert web.record().cluster_name == "web"
    assert await db.run(lambda d: clusters.locked(d, "web")) == web
    old = await db.run(lambda d: clusters.locked(d, "old"))
    assert old is not None
    assert not old.active
    assert await db.read(lambda _: clusters.by_name("none")) is None
    assert await db.read(lambda _: clusters.names_active()) == ["web"]


def definition(family: str, revision: int, status: int = 1) -> tuple[Any, ...]:
    body = task_definition_pb2.TaskDefinition(family=family, revision=revision).SerializeToString()
    return (family, revision, status, 1, None, None, body, b"")


@pytest.fixture
async def with_definitions(db: database.Database) -> database.Database:
    columns = (
        "family",
        "revision",
        "status",
        "registered_at",
        "deregistered_at",
        "delete_requested_at",
        "body",
        "tags",
    )
    rows = [definition("web", 1, 2), definition("web", 2), definition("db", 1), definition("web", 10)]

    def work(_: Dialect) -> steps.Step[None]:
        yield from steps.insert_many("task_definitions", columns, rows)
        yield from steps.execute("INSERT INTO task_definition_families VALUES ('web', 10, 2, 10), ('gone', 4, 0, 0)")

    await db.run(work)
    return db


async def test_definitions_by_revision(with_definitions: database.Database) -> None:
    db = with_definitions
    one = await db.read(lambda _: definitions.by_revision(definitions.Key("web", 1)))
    assert one is not None
    assert (one.key, one.active) == (definitions.Key("web", 1), False)
    assert await db.read(lambda _: definitions.by_revision(definitions.Key("web", 3))) is None
    wanted = [definitions.Key("web", 10), definitions.Key("db", 1), definitions.Key("db", 2)]
    found = await db.read(lambda d: definitions.by_revisions(d, wanted))
    assert set(found) == set(wanted[:2])
    assert all(row.key == key and row.active for key, row in found.items())


@pytest.mark.parametrize("locked", [False, True])
async def test_statuses_of_many_revisions(with_definitions: database.Database, locked: bool) -> None:  # noqa: FBT001 - parameter
    keys = [definitions.Key("web", 2), definitions.Key("web", 1), definitions.Key("db", 1), definitions.Key("none", 1)]
    found = await with_definitions.run(lambda d: definitions.statuses(d, keys, locked=locked))
    assert found == {keys[0]: 1, keys[1]: 2, keys[2]: 1}


async def test_the_latest_active_revision_of_a_family(with_definitions: database.Database) -> None:
    db = with_definitions
    assert await db.read(lambda _: definitions.latest_active("web")) == definitions.Key("web", 10)
    assert await db.read(lambda _: definitions.latest_active("gone")) is None
    assert await db.read(lambda _: definitions.latest_active("never")) is None


async def test_bodies_are_read_once(with_definitions: database.Database) -> None:
    bodies = definitions.Bodies()
    key, absent = definitions.Key("web", 2), definitions.Key("web", 99)
    first = await bodies.load(with_definitions, [key, absent])
    assert set(first) == {key}
    await with_definitions.run(lambda _: steps.execute("DELETE FROM task_definitions"))
    assert (await bodies.load(with_definitions, [key]))[key] is first[key]


async def test_a_definition_under_a_share_lock_is_not_deregistered_before_the_commit(
    postgresql: database.Database,
) -> None:
    columns = (
        "family",
        "revision",
        "status",
        "registered_at",
        "deregistered_at",
        "delete_requested_at",
        "body",
        "tags",
    )
    await postgresql.run(lambda _: steps.insert_many("task_definitions", columns, [definition("web", 1)]))
    order: list[str] = []
    locked = asyncio.Event()

    def place(dialect: Dialect) -> steps.Step[None]:
        yield from definitions.statuses(dialect, [definitions.Key("web", 1)], locked=True)
        order.append("locked")
        locked.set()
        yield from steps.fetch("SELECT pg_sleep(0.2)")
        order.append("placed")

    async def deregister() -> None:
        await locked.wait()
        await postgresql.run(lambda _: steps.execute("UPDATE task_definitions SET status = 2"))
        order.append("deregistered")

    await asyncio.gather(postgresql.run(place), deregister())
    assert order == ["locked", "placed", "deregistered"]
