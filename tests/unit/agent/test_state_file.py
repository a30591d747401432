import asyncio
import contextlib
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.agent import state_file, stored
from longshore.v1 import agent_service_pb2, task_definition_pb2

DUMPS = Path(__file__).parent / "state_files"
IDENTITY = stored.Identity("i1", "arn:i1", "default", "secret")
WEB = task_definition_pb2.TaskDefinition(family="web", revision=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "agent.db"


@pytest.fixture
async def file(path: Path) -> AsyncIterator[state_file.StateFile]:
    made = state_file.StateFile(path)
    yield made
    await made.close()


async def reread(path: Path) -> stored.Stored:
    other = state_file.StateFile(path)
    try:
        return await other.load()
    finally:
        await other.close()


def assigned(task_id: str, key: str = "web:1") -> agent_service_pb2.AssignedTask:
    return agent_service_pb2.AssignedTask(task_id=task_id, definition_key=key)


async def test_a_fresh_file_knows_nothing(file: state_file.StateFile) -> None:
    assert await file.load() == stored.Stored()


async def test_everything_comes_back(file: state_file.StateFile, path: Path) -> None:
    await file.save_identity(IDENTITY)
    await file.save_assignment(
        revision=7, lineage=9, definitions={"web:1": WEB}, tasks=[assigned("a"), assigned("b")], stops=["b", "stranger"]
    )
    observation = agent_service_pb2.TaskObservation(task_id="a", released=True)
    await file.save_observation(observation, 99)
    await file.save_acknowledged(["a"], 7)
    await file.close()
    assert await reread(path) == stored.Stored(
        identity=IDENTITY,
        revision=7,
        lineage=9,
        recorded_report=7,
        definitions={"web:1": WEB},
        tasks=(
            stored.StoredTask(assigned("a"), observation, stopping=False, acknowledged=True, stopped_at=99),
            stored.StoredTask(assigned("b"), None, stopping=True, acknowledged=False, stopped_at=0),
        ),
    )


async def test_a_newer_observation_is_not_acknowledged(file: state_file.StateFile) -> None:
    await file.save_assignment(revision=1, lineage=9, definitions={}, tasks=[assigned("a")], stops=[])
    await file.save_acknowledged(["a"], 7)
    await file.save_observation(agent_service_pb2.TaskObservation(task_id="a"), 0)
    assert not (await file.load()).tasks[0].acknowledged


async def test_a_task_assigned_again_keeps_what_is_known_of_it(file: state_file.StateFile) -> None:
    await file.save_assignment(revision=1, lineage=9, definitions={}, tasks=[assigned("a")], stops=["a"])
    await file.save_assignment(revision=2, lineage=9, definitions={}, tasks=[assigned("a")], stops=[])
    assert (await file.load()).tasks[0].stopping


async def test_forgetting_a_task_forgets_definitions_that_nobody_uses(file: state_file.StateFile) -> None:
    definitions = {"web:1": WEB, "db:1": WEB}
    await file.save_assignment(
        revision=1, lineage=9, definitions=definitions, tasks=[assigned("a"), assigned("b", "db:1")], stops=[]
    )
    await file.forget(["a"])
    found = await file.load()
    assert (list(found.definitions), [task.assigned.task_id for task in found.tasks]) == (["db:1"], ["b"])


async def test_another_identity_forgets_the_former_ones_tasks(file: state_file.StateFile) -> None:
    await file.save_identity(IDENTITY)
    await file.save_assignment(revision=5, lineage=9, definitions={"web:1": WEB}, tasks=[assigned("a")], stops=[])
    await file.save_identity(IDENTITY)
    assert len((await file.load()).tasks) == 1
    other = stored.Identity("i2", "arn:i2", "default", "other")
    await file.save_identity(other)
    assert await file.load() == stored.Stored(identity=other)


async def test_many_writes_at_once_all_arrive(file: state_file.StateFile) -> None:
    await asyncio.gather(
        *(
            file.save_assignment(revision=number, lineage=9, definitions={}, tasks=[assigned(f"{number:03}")], stops=[])
            for number in range(200)
        )
    )
    found = await file.load()
    assert (len(found.tasks), found.revision) == (200, 199)


async def test_nothing_of_it_is_mapped_into_memory_where_a_full_disk_would_kill(
    file: state_file.StateFile, path: Path
) -> None:
    await file.save_identity(IDENTITY)
    assert not Path(f"{path}-shm").exists()  # noqa: ASYNC240 - a test may block
    assert str(path) not in Path("/proc/self/maps").read_text()  # noqa: ASYNC240


async def test_the_file_is_its_owners_alone(file: state_file.StateFile, path: Path) -> None:
    await file.load()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116 - pathlib is held to block a loop, this is not


@pytest.fixture
def damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)


async def test_a_damaged_file_is_an_error_that_names_it(damaged: None, path: Path) -> None:
    made = state_file.StateFile(path)
    with pytest.raises(stored.StateFileError, match=str(path)):
        await made.load()
    await made.close()


async def test_a_file_of_a_newer_format_is_refused_by_name(path: Path) -> None:
    made = state_file.StateFile(path)
    await made.save_identity(IDENTITY)
    await made.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE facts SET value = '9' WHERE name = 'format'")
    made = state_file.StateFile(path)
    with pytest.raises(stored.NewerFormat, match=r"newer agent .*format 9, this one reads up to 1"):
        await made.load()
    await made.close()


def written(path: Path, dump: Path) -> None:
    """A state file as an earlier agent has left it."""
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(dump.read_text())


@pytest.mark.parametrize("number", range(1, state_file.FORMAT + 1))
async def test_every_format_there_has_been_is_read(path: Path, number: int) -> None:
    written(path, DUMPS / f"format_{number}.sql")
    found = await reread(path)
    assert found.identity is not None
    assert (found.identity.cluster, found.identity.credential, found.revision) == ("web", "made-up", 7)
    assert found.definitions["web:3"].container_definitions[0].image == "busybox"
    running, stopping = found.tasks
    assert running.observation is not None
    assert (running.assigned.task_id, running.observation.containers[0].runtime_id) == ("a", "f" * 64)
    assert (stopping.assigned.task_id, stopping.stopping) == ("b", True)


async def test_an_older_format_is_made_ours_at_once_and_for_good(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the next format will have it: all steps in one transaction, and an agent that fails in it has changed nothing."""
    written(path, DUMPS / "format_1.sql")
    monkeypatch.setattr(state_file, "FORMAT", 3)
    broken = {1: "UPDATE facts SET value = 'docks' WHERE name = 'cluster';", 2: "UPDATE nowhere SET x = 1;"}
    monkeypatch.setattr(state_file, "UPGRADES", broken)
    with pytest.raises(stored.StateFileError, match="nowhere"):
        await reread(path)
    monkeypatch.setattr(state_file, "UPGRADES", {**broken, 2: "ALTER TABLE tasks ADD COLUMN berth TEXT;"})
    for _ in range(2):
        identity = (await reread(path)).identity
        assert identity is not None
        assert identity.cluster == "docks"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("SELECT value FROM facts WHERE name = 'format'").fetchone() == ("3",)


async def test_told_last_lines_go_with_their_task(file: state_file.StateFile) -> None:
    await file.save_identity(IDENTITY)
    await file.save_assignment(
        revision=1, lineage=9, definitions={"web:1": WEB}, tasks=[assigned("a"), assigned("b")], stops=[]
    )
    await file.save_told_tails([("a", "main"), ("a", "side"), ("b", "main"), ("a", "main"), ("stranger", "main")])
    assert (await file.load()).told_tails == {("a", "main"), ("a", "side"), ("b", "main")}
    await file.forget(["a"])
    assert (await file.load()).told_tails == {("b", "main")}
    await file.save_identity(stored.Identity("i2", "arn:i2", "default", "secret"))
    assert (await file.load()).told_tails == frozenset()
