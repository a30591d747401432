"""What every engine must do, whichever it is. `trackers`, `log_head`, `client_tokens` and `task_observations` serve as tables."""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from longshore.storage import database, errors, steps
from longshore.storage.dialect import Dialect

TRACKER = ("tracker_id", "address", "expires_at")
TOKEN = ("principal", "operation", "cluster", "token", "request_hash", "answer", "created_at")
OBSERVATION = (
    "task_id", "cluster", "instance_id", "last_status", "stop_code", "stopped_reason", "stop_cause_at", "started_at",
    "stopped_at", "released", "revision", "body",
)  # fmt: skip


def observation(task_id: str, **changes: Any) -> tuple[Any, ...]:
    values = dict(zip(OBSERVATION, (task_id, "c", "i", 2, 0, "", None, None, None, 0, 1, b""), strict=True)) | changes
    return tuple(values.values())


async def add_tracker(db: database.Database, name: str, expires_at: int = 0) -> None:
    await db.run(lambda _: steps.insert_many("trackers", TRACKER, [(name, "a", expires_at)]))


async def tracker_ids(db: database.Database) -> list[str]:
    rows = await db.read(lambda _: steps.fetch("SELECT tracker_id FROM trackers ORDER BY tracker_id"))
    return [row["tracker_id"] for row in rows]


async def test_what_the_work_returns_is_answered_and_what_it_wrote_is_committed(db: database.Database) -> None:
    def work(_: Dialect) -> steps.Step[str]:
        yield from steps.execute("INSERT INTO trackers VALUES ($1, $2, $3)", "t", "host:1", 7)
        return "done"

    assert await db.run(work) == "done"
    row = await db.read(lambda _: steps.fetch_row("SELECT * FROM trackers"))
    assert row is not None
    assert dict(row) == {"tracker_id": "t", "address": "host:1", "expires_at": 7}


async def test_an_exception_of_the_work_rolls_back_and_reaches_the_caller(db: database.Database) -> None:
    closed: list[bool] = []

    def work(_: Dialect) -> steps.Step[None]:
        try:
            yield from steps.execute("INSERT INTO trackers VALUES ('t', 'a', 0)")
            raise LookupError("no")
        finally:
            closed.append(True)

    with pytest.raises(LookupError, match="no"):
        await db.run(work)
    assert await tracker_ids(db) == []
    assert closed == [True]


async def test_a_failed_statement_rolls_back_what_came_before_it(db: database.Database) -> None:
    def work(_: Dialect) -> steps.Step[None]:
        yield from steps.execute("INSERT INTO trackers VALUES ('t', 'a', 0)")
        yield from steps.execute("INSERT INTO trackers VALUES ('u', 'a', NULL)")

    with pytest.raises(Exception, match=r"(?i)not.null"):
        await db.run(work)
    assert await tracker_ids(db) == []


async def test_a_taken_key_is_a_conflict_that_names_the_table(db: database.Database) -> None:
    await add_tracker(db, "t")
    with pytest.raises(errors.Conflict) as caught:
        await add_tracker(db, "t")
    assert caught.value.table == "trackers"


@pytest.mark.parametrize("count", [2, 200])
async def test_a_bulk_insert_with_one_taken_key_inserts_nothing(db: database.Database, count: int) -> None:
    await add_tracker(db, "000")
    rows = [(f"{number:03}", "a", 0) for number in reversed(range(count))]
    with pytest.raises(errors.Conflict):
        await db.run(lambda _: steps.insert_many("trackers", TRACKER, rows))
    assert await tracker_ids(db) == ["000"]


async def test_a_read_cannot_write(db: database.Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await db.read(lambda _: steps.execute("INSERT INTO trackers VALUES ('t', 'a', 0)"))
    assert await tracker_ids(db) == []


async def test_all_statements_of_a_read_see_one_snapshot(db: database.Database) -> None:
    await db.run(lambda _: steps.insert_many("trackers", TRACKER, [("a", "", 0), ("b", "", 0)]))

    def both(_: Dialect) -> steps.Step[tuple[int, int]]:
        first = yield from steps.fetch_value("SELECT expires_at FROM trackers WHERE tracker_id = 'a'")
        second = yield from steps.fetch_value("SELECT expires_at FROM trackers WHERE tracker_id = 'b'")
        return first, second

    async def write() -> None:
        for _ in range(100):
            await db.run(lambda _: steps.execute("UPDATE trackers SET expires_at = expires_at + 1"))

    writing = asyncio.ensure_future(write())
    seen = set()
    while not writing.done():
        seen.add(await db.read(both))
    await writing
    assert all(first == second for first, second in seen)
    assert len(seen) > 1


async def test_a_read_sees_what_was_committed_before_it(db: database.Database) -> None:
    for number in range(50):
        await add_tracker(db, f"{number:02}")
        assert len(await tracker_ids(db)) == number + 1


async def test_placeholders_go_by_their_number_not_by_their_place(db: database.Database) -> None:
    row = await db.read(
        lambda _: steps.fetch_row(
            "SELECT CAST($2 AS TEXT) AS b, CAST($1 AS TEXT) AS a, CAST($2 AS TEXT) AS c", "one", "two"
        )
    )
    assert row is not None
    assert (row["a"], row["b"], row["c"]) == ("one", "two", "two")


async def test_rows_are_read_by_name_and_by_place(db: database.Database) -> None:
    await add_tracker(db, "t", 9)
    row = await db.read(lambda _: steps.fetch_row("SELECT tracker_id, expires_at AS e FROM trackers"))
    assert row is not None
    assert (row["tracker_id"], row["e"], row[0], row[1], len(row), tuple(row), list(row.keys())) == (
        "t", 9, "t", 9, 2, ("t", 9), ["tracker_id", "e"],
    )  # fmt: skip
    with pytest.raises((KeyError, IndexError)):
        row["absent"]


async def test_nothing_found_is_an_empty_list_and_none(db: database.Database) -> None:
    def work(_: Dialect) -> steps.Step[tuple[Any, Any, Any, int]]:
        rows = yield from steps.fetch("SELECT * FROM trackers")
        row = yield from steps.fetch_row("SELECT * FROM trackers")
        value = yield from steps.fetch_value("SELECT expires_at FROM trackers")
        affected = yield from steps.execute("DELETE FROM trackers")
        return rows, row, value, affected

    assert await db.run(work) == ([], None, None, 0)


async def test_execute_tells_how_many_rows_it_changed(db: database.Database) -> None:
    await db.run(lambda _: steps.insert_many("trackers", TRACKER, [("a", "", 1), ("b", "", 2), ("c", "", 3)]))
    assert await db.run(lambda _: steps.execute("UPDATE trackers SET address = $1 WHERE expires_at > $2", "x", 1)) == 2
    assert await db.run(lambda _: steps.execute("DELETE FROM trackers")) == 3


async def test_insert_returning_gives_the_row_and_commits(db: database.Database) -> None:
    row = await db.run(lambda _: steps.fetch_row("INSERT INTO trackers VALUES ('t', 'a', 5) RETURNING expires_at"))
    assert row is not None
    assert row["expires_at"] == 5
    assert await tracker_ids(db) == ["t"]


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 2_000])
async def test_bulk_inserts_of_every_size_keep_every_value(db: database.Database, count: int) -> None:
    rows = [
        observation(
            f"{number:05}",
            stop_cause_at=number if number % 2 else None,
            stopped_reason="ä'\"\\{},\n",
            body=bytes([number % 256, 0]),
        )
        for number in range(count)
    ]
    await db.run(lambda _: steps.insert_many("task_observations", OBSERVATION, rows))
    found = await db.read(
        lambda _: steps.fetch(f"SELECT {', '.join(OBSERVATION)} FROM task_observations ORDER BY task_id")  # noqa: S608 - from above
    )
    assert [tuple(row) for row in found] == rows


@pytest.mark.parametrize("way", ["bulk", "copy", "single"])
async def test_a_body_of_eight_megabytes_comes_back_whole(db: database.Database, way: str) -> None:
    body = bytes(range(256)) * (8 * 4096)
    if way == "single":
        await db.run(
            lambda _: steps.execute(
                "INSERT INTO client_tokens VALUES ($1, $2, $3, $4, $5, $6, $7)", "p", "o", "c", "t", b"", body, 0
            )
        )
    else:
        rows = [("p", "o", "c", "t", b"", body, 0)]
        rows += [("p", "o", "c", f"t{number}", b"", b"", 0) for number in range(60 if way == "copy" else 0)]
        await db.run(lambda _: steps.insert_many("client_tokens", TOKEN, rows))
    assert await db.read(lambda _: steps.fetch_value("SELECT answer FROM client_tokens WHERE token = 't'")) == body


async def test_bulk_updates_replace_add_and_count_what_existed(db: database.Database) -> None:
    rows = [observation(f"t{number}", revision=number, stopped_at=1) for number in range(4)]
    await db.run(lambda _: steps.insert_many("task_observations", OBSERVATION, rows))
    changes = [
        ("t2", "c", "later", None, 10),
        ("t0", "c", "", 5, -3),
        ("gone", "c", "x", 1, 1),
        ("t3", "other", "x", 1, 1),
    ]
    affected = await db.run(
        lambda _: steps.update_many(
            "task_observations", ("task_id", "cluster"), ("stopped_reason", "stopped_at", ("revision", "add")), changes
        )
    )
    assert affected == 2
    found = await db.read(
        lambda _: steps.fetch(
            "SELECT task_id, stopped_reason, stopped_at, revision FROM task_observations ORDER BY task_id"
        )
    )
    assert [tuple(row) for row in found] == [
        ("t0", "", 5, -3),
        ("t1", "", 1, 1),
        ("t2", "later", None, 12),
        ("t3", "", 1, 3),
    ]


async def test_a_bulk_update_of_nothing_does_nothing(db: database.Database) -> None:
    assert await db.run(lambda _: steps.update_many("trackers", ("tracker_id",), ("address",), [])) == 0


async def test_membership_in_a_list(db: database.Database) -> None:
    names = ["", "a", 'q"uote', "ä", "comma,", "null"]
    await db.run(
        lambda _: steps.insert_many("trackers", TRACKER, [(name, "", place) for place, name in enumerate(names)])
    )

    def named(dialect: Dialect, wanted: list[str]) -> steps.Step[list[steps.Row]]:
        return steps.fetch(f"SELECT tracker_id FROM trackers WHERE {dialect.member('tracker_id', 1)}", wanted)  # noqa: S608 - the subject

    def placed(dialect: Dialect, wanted: list[int]) -> steps.Step[list[steps.Row]]:
        return steps.fetch(
            f"SELECT expires_at FROM trackers WHERE address = $1 AND {dialect.member('expires_at', 2, 'bigint')}",  # noqa: S608 - the subject
            "",
            wanted,
        )

    assert {row[0] for row in await db.read(lambda d: named(d, [*names[1:4], "absent"]))} == {"a", 'q"uote', "ä"}
    assert await db.read(lambda d: named(d, [])) == []
    assert {row[0] for row in await db.read(lambda d: placed(d, [0, 5, 99]))} == {0, 5}


async def test_text_is_compared_by_bytes(db: database.Database) -> None:
    names = ["a", "B", "Z", "_", "ä", "aa", "a-b", "ab", "𝒂", "ﬀ", "10", "9"]  # noqa: RUF001 - beyond the first plane, where UTF-16 would differ
    await db.run(lambda _: steps.insert_many("trackers", TRACKER, [(name, "", 0) for name in names]))
    assert await tracker_ids(db) == sorted(names, key=str.encode)
    above = await db.read(lambda _: steps.fetch("SELECT tracker_id FROM trackers WHERE tracker_id > $1", "a-b"))
    assert {row[0] for row in above} == {name for name in names if name.encode() > b"a-b"}


async def test_null_is_kept_apart_from_zero_and_empty(db: database.Database) -> None:
    await db.run(
        lambda _: steps.insert_many("task_observations", OBSERVATION, [observation("t", started_at=0, body=b"")])
    )
    row = await db.read(lambda _: steps.fetch_row("SELECT stop_cause_at, started_at, body FROM task_observations"))
    assert row is not None
    assert tuple(row) == (None, 0, b"")


async def test_now_is_the_clock_in_microseconds(db: database.Database) -> None:
    before = time.time_ns() // 1000
    values = [await db.read(lambda d: steps.fetch_value(f"SELECT {d.now}")) for _ in range(20)]
    after = time.time_ns() // 1000
    assert before <= values[0] <= values[-1] <= after
    assert any(value % 1000 for value in values)


async def test_now_moves_within_a_transaction(db: database.Database) -> None:
    def work(dialect: Dialect) -> steps.Step[tuple[int, int]]:
        first = yield from steps.fetch_value(f"SELECT {dialect.now}")
        for _ in range(20):
            yield from steps.fetch("SELECT 1")
        second = yield from steps.fetch_value(f"SELECT {dialect.now}")
        return first, second

    first, second = await db.run(work)
    assert first < second


async def test_work_without_statements_is_a_transaction_too(db: database.Database) -> None:
    def nothing(_: Dialect) -> Generator[steps.Statement, Any, int]:
        yield from ()
        return 3

    assert await db.run(nothing) == 3
    assert await db.read(nothing) == 3


async def test_cancelled_transactions_leave_the_database_usable_and_whole(db: database.Database) -> None:
    def pair(name: str) -> steps.Step[None]:
        yield from steps.execute("INSERT INTO trackers VALUES ($1, 'first', 0)", f"{name}-1")
        yield from steps.execute("INSERT INTO trackers VALUES ($1, 'second', 0)", f"{name}-2")

    def pairing(name: str) -> Callable[[Dialect], steps.Step[None]]:
        return lambda _: pair(name)

    async def cancelled(number: int) -> None:
        task = asyncio.ensure_future(db.run(pairing(f"{number:03}")))
        for _ in range(number % 12):
            await asyncio.sleep(0)
        if number % 3 == 0:
            await asyncio.sleep(number / 50_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(cancelled(number) for number in range(120)))
    # More at once than there are connections: none may be missing.
    await asyncio.gather(*(db.run(pairing(f"x{number:02}")) for number in range(30)))
    ids = await tracker_ids(db)
    assert len([name for name in ids if name.startswith("x")]) == 60
    assert {name[:-2] for name in ids if name.endswith("-1")} == {name[:-2] for name in ids if name.endswith("-2")}


async def test_a_closed_database_is_unavailable(engine_url: str) -> None:
    opened = await database.open_database(engine_url)
    await opened.close()
    await opened.close()
    with pytest.raises(errors.Unavailable):
        await opened.run(lambda _: steps.execute("DELETE FROM trackers"))
    with pytest.raises(errors.Unavailable):
        await opened.read(lambda _: steps.fetch("SELECT 1"))


async def test_opened_again_it_holds_what_it_held_and_migrates_nothing(engine_url: str) -> None:
    first = await database.open_database(engine_url)
    await add_tracker(first, "t")
    before = await first.read(lambda _: steps.fetch("SELECT * FROM schema_migrations ORDER BY number"))
    await first.close()
    second = await database.open_database(engine_url)
    after = await second.read(lambda _: steps.fetch("SELECT * FROM schema_migrations ORDER BY number"))
    ids = await tracker_ids(second)
    await second.close()
    assert ids == ["t"]
    assert [tuple(row) for row in before] == [tuple(row) for row in after] != []
