"""Task limits as units of systemd: what is written where. That systemd takes them so was seen by hand, with version 252."""

from pathlib import Path

import pytest

from longshore.agent import cgroups, slices, task_limits

TASK = "f" * 32
HALF = task_limits.TaskLimits(cpu_units=512, memory_mib=64, pids=50)


def made(units: Path, version: int = 2) -> slices.Slices:
    found = slices.found("home", cgroup_version=version, units=units)
    assert found is not None
    return found


def files(units: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in sorted(units.iterdir())}


async def test_a_task_with_limits_has_a_slice_of_its_own(tmp_path: Path) -> None:
    groups = made(tmp_path)
    await groups.limit(TASK, HALF)
    assert groups.parent(TASK) == f"longshore-home-{TASK}.slice"
    assert files(tmp_path) == {
        f"longshore-home-{TASK}.slice": [
            "[Unit]",
            "Description=A task of Longshore",
            "StopWhenUnneeded=yes",
            "",
            "[Slice]",
            "CPUWeight=20",
            "CPUQuota=50.0%",
            "CPUQuotaPeriodSec=100000us",
            f"MemoryMax={64 * 1024 * 1024}",
            "TasksMax=50",
        ]
    }


def test_the_first_version_of_control_groups_has_names_of_its_own() -> None:
    lines = slices.unit(HALF, 1).splitlines()
    assert {"CPUShares=512", f"MemoryLimit={64 * 1024 * 1024}"} <= set(lines)
    assert not any(line.startswith(("CPUWeight", "MemoryMax")) for line in lines)


@pytest.mark.parametrize(
    ("cpu", "percent"), [(1024, "100.0%"), (1, "1.0%"), (307, "30.0%"), (128, "12.5%"), (2560, "250.0%")]
)
def test_a_quota_is_in_percent_and_never_less_than_was_asked_for(cpu: int, percent: str) -> None:
    assert f"CPUQuota={percent}" in slices.unit(task_limits.TaskLimits(cpu_units=cpu), 2).splitlines()


async def test_a_unit_that_says_the_same_is_left_alone(tmp_path: Path) -> None:
    groups = made(tmp_path)
    await groups.limit(TASK, HALF)
    before = (tmp_path / groups.parent(TASK)).stat()
    await groups.limit(TASK, HALF)
    assert (tmp_path / groups.parent(TASK)).stat() == before


async def test_units_go_with_their_tasks_and_those_of_others_stay(tmp_path: Path) -> None:
    groups, other = made(tmp_path), "e" * 32
    (tmp_path / f"longshore-elsewhere-{TASK}.slice").touch()
    (tmp_path / "docker.service").touch()
    for task in (TASK, other, "d" * 32):
        await groups.limit(task, HALF)
    await groups.remove(other)
    await groups.remove(other)
    await groups.sweep([TASK])
    assert set(files(tmp_path)) == {
        "docker.service",
        f"longshore-elsewhere-{TASK}.slice",
        f"longshore-home-{TASK}.slice",
    }


async def test_what_cannot_be_written_says_where(tmp_path: Path) -> None:
    groups = made(tmp_path)
    (tmp_path / groups.parent(TASK)).mkdir()
    with pytest.raises(cgroups.NotLimited, match=r"limits of the task could not be set: .*longshore-home-"):
        await groups.limit(TASK, HALF)


def test_where_systemd_is_not_there_nothing_is_offered(tmp_path: Path) -> None:
    assert slices.found("home", cgroup_version=2, units=tmp_path / "system") is None
