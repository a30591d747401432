from pathlib import Path

from longshore.agent import app as agent_app
from longshore.embedded import config, holder, purging


def test_only_what_up_has_made_is_deleted(tmp_path: Path) -> None:
    folders = config.folders(tmp_path / "home")
    folders.agent.mkdir(parents=True)
    folders.logs.mkdir()
    mine = [
        folders.database,
        *(folders.state / f"{folders.database.name}{suffix}" for suffix in ("-wal", "-shm", ".lock")),
        folders.state / holder.NAME,
        folders.agent / "agent.db",
        folders.seal_key,
        *(folders.control_plane_log, folders.agent_log, folders.agent_output, folders.up_output),
        folders.logs / f"{folders.agent_log.name}.1",
    ]
    theirs = [folders.state / "thesis.txt", folders.logs / "dockerd.log", folders.state / "update.json"]
    for path in (*mine, *theirs):
        path.touch()
    purging.delete(folders)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(theirs)


def test_folders_that_are_empty_go_too(tmp_path: Path) -> None:
    folders = config.folders(tmp_path / "home")
    folders.logs.mkdir(parents=True)
    folders.database.touch()
    purging.delete(folders)
    assert list(tmp_path.iterdir()) == []


def test_the_agent_is_told_that_it_is_the_last_where_it_looks_for_that(tmp_path: Path) -> None:
    folders = config.folders(tmp_path / "home")
    purging.say_that_it_is_the_last(folders)
    assert not folders.agent.exists()
    folders.agent.mkdir(parents=True)
    purging.say_that_it_is_the_last(folders)
    assert (folders.agent / agent_app.LAST_FILE).exists()


def test_nothing_to_delete_is_no_fault(tmp_path: Path) -> None:
    purging.delete(config.folders(tmp_path / "none"))


def test_an_agent_that_does_not_answer_is_not_known() -> None:
    assert purging.agent_tasks(1) is None
