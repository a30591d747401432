"""What only SQLite has: one holder, the writer thread, the disk."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.storage import database, errors, sqlite, steps
from longshore.storage.dialect import Dialect

WRITER = """
import asyncio, sys
from longshore.storage import database, steps

async def main():
    db = await database.open_database(sys.argv[1])
    print("open", flush=True)
    number = 0
    while True:
        number += 1
        await db.run(lambda _: steps.execute("INSERT INTO trackers VALUES ($1, '', $2)", f"{number:06}", number))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/folder/state.db"


@pytest.fixture
async def db(url: str) -> AsyncIterator[database.Database]:
    opened = await database.open_database(url)
    yield opened
    await opened.close()


def add(name: str) -> steps.Step[int]:
    return steps.execute("INSERT INTO trackers VALUES ($1, '', 0)", name)


async def ids(db: database.Database) -> list[str]:
    return [row[0] for row in await db.read(lambda _: steps.fetch("SELECT tracker_id FROM trackers ORDER BY 1"))]


async def start_writer(url: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    return process


async def test_what_was_answered_survives_kill_9(url: str) -> None:
    process = await start_writer(url)
    assert process.stdout is not None
    while int(await process.stdout.readline()) < 40:
        pass
    process.kill()
    rest = (await process.stdout.read()).split(b"\n")
    answered = max([40, *(int(line) for line in rest[:-1])])
    await process.wait()
    db = await database.open_database(url)
    found = await ids(db)
    assert found == [f"{number:06}" for number in range(1, len(found) + 1)]
    assert len(found) in {answered, answered + 1}
    assert await db.read(lambda _: steps.fetch_value("PRAGMA integrity_check")) == "ok"
    await db.close()


async def test_a_second_process_is_told_who_holds_the_database(url: str) -> None:
    process = await start_writer(url)
    with pytest.raises(errors.StateInUse, match=f"process {process.pid}") as caught:
        await database.open_database(url)
    assert caught.value.pid == process.pid
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await (await database.open_database(url)).close()


async def test_a_second_opening_in_one_process_is_refused_until_the_first_is_closed(url: str) -> None:
    first = await database.open_database(url)
    with pytest.raises(errors.StateInUse, match=f"process {os.getpid()}"):
        await database.open_database(url)
    await first.close()
    await (await database.open_database(url)).close()


async def test_files_are_for_the_owner_alone(db: database.Database, tmp_path: Path) -> None:
    await db.run(lambda _: add("t"))
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0


async def test_commits_are_on_the_disk_before_they_are_answered(db: database.Database) -> None:
    def settings(_: Dialect) -> steps.Step[tuple[str, int]]:
        mode = yield from steps.fetch_value("PRAGMA journal_mode")
        synchronous = yield from steps.fetch_value("PRAGMA synchronous")
        return mode, synchronous

    assert await db.run(settings) == ("wal", 2)


async def test_the_event_loop_goes_on_while_a_transaction_takes_its_time(db: database.Database) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(_: Dialect) -> steps.Step[None]:
        yield from add("slow")
        began.set()
        go_on.wait(10)

    running = asyncio.ensure_future(db.run(slow))
    await asyncio.to_thread(began.wait, 10)
    assert await ids(db) == []  # readers go on as well, on what was committed
    go_on.set()
    await running
    assert await ids(db) == ["slow"]


async def test_a_transaction_cancelled_before_its_commit_is_rolled_back_and_one_in_the_queue_never_begins(
    db: database.Database,
) -> None:
    began, go_on = threading.Event(), threading.Event()
    ran: list[str] = []

    def slow(_: Dialect) -> steps.Step[None]:
        yield from add("slow")
        began.set()
        go_on.wait(10)

    def queued(_: Dialect) -> steps.Step[None]:
        ran.append("queued")
        yield from add("queued")

    running = asyncio.ensure_future(db.run(slow))
    await asyncio.to_thread(began.wait, 10)
    waiting = asyncio.ensure_future(db.run(queued))
    await asyncio.sleep(0)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    go_on.set()
    await db.run(lambda _: add("after"))
    assert await ids(db) == ["after"]
    assert ran == []


async def test_a_writer_that_does_not_answer_in_time_is_unavailable_and_commits_nothing(
    db: database.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def stuck(_: Dialect) -> steps.Step[None]:
        yield from add("stuck")
        go_on.wait(10)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "TRANSACTION_TIMEOUT", 0.05)
        with pytest.raises(errors.Unavailable) as caught:
            await db.run(stuck)
    assert not isinstance(caught.value, errors.CommitUnknown)
    go_on.set()
    await db.run(lambda _: add("after"))
    assert await ids(db) == ["after"]


async def test_a_full_disk_is_unavailable_and_rolls_back(db: database.Database) -> None:
    def filling(_: Dialect) -> steps.Step[None]:
        pages = yield from steps.fetch_value("PRAGMA page_count")
        yield from steps.fetch_value(f"PRAGMA max_page_count = {pages + 8}")
        for number in range(1_000):
            yield from steps.execute("INSERT INTO trackers VALUES ($1, $2, 0)", f"{number}", "x" * 4_000)

    with pytest.raises(errors.Unavailable, match="full"):
        await db.run(filling)
    assert await ids(db) == []
    await db.run(lambda _: steps.fetch_value("PRAGMA max_page_count = 1000000"))
    await db.run(lambda _: add("t"))
    assert await ids(db) == ["t"]


async def test_another_program_that_holds_the_file_is_waited_for_then_unavailable(
    db: database.Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "folder" / "state.db", isolation_level=None)
    await db.run(lambda _: steps.fetch_value("PRAGMA busy_timeout = 20"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.Unavailable, match="locked"):
        await db.run(lambda _: add("t"))
    other.execute("ROLLBACK")
    other.close()
    await db.run(lambda _: add("t"))


async def test_a_fault_of_the_statement_stays_what_it_is(db: database.Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.read(lambda _: steps.fetch("SELECT * FROM absent"))


async def test_the_write_ahead_log_is_gone_after_a_clean_close(url: str, tmp_path: Path) -> None:
    opened = await database.open_database(url)
    await opened.run(lambda _: add("t"))
    await ids(opened)
    await opened.close()
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"state.db", "state.db.lock"}
