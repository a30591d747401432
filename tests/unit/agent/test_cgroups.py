"""Task limits as files of control groups; the kernel's own part of it is in tests/integration/agent/test_limits.py."""

from pathlib import Path

import pytest

from longshore.agent import cgroups, runtime, task_limits
from longshore.v1 import task_definition_pb2 as definition_pb2
from longshore.v1 import task_pb2

HALF = task_limits.TaskLimits(cpu_units=512, memory_mib=64)
TASK = "f" * 32


def engine(driver: str = "cgroupfs", version: int = 1) -> runtime.EngineInfo:
    return runtime.EngineInfo(
        "E", "h", "28", (1, 50), 2, 1 << 30, "linux", "x86_64", cgroup_driver=driver, cgroup_version=version
    )


def v1(root: Path) -> cgroups.Cgroups:
    for controller in ("cpu", "memory", "pids"):
        (root / controller).mkdir()
    made = cgroups.found(engine(), "home", root)
    assert made is not None
    return made


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def folders(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}


@pytest.mark.parametrize(
    ("cpu", "memory", "overridden", "limits"),
    [
        ("512", "64", {}, HALF),
        ("", "", {}, task_limits.TaskLimits()),
        (".5 vCPU", "1GB", {"memory": "64"}, HALF),
        ("", "64", {"cpu": "512"}, HALF),
    ],
)
def test_limits_are_the_definitions_under_the_overrides(
    cpu: str, memory: str, overridden: dict[str, str], limits: task_limits.TaskLimits
) -> None:
    definition = definition_pb2.TaskDefinition(cpu=cpu, memory=memory)
    assert task_limits.of(definition, task_pb2.TaskOverride(**overridden)) == limits  # type: ignore[arg-type]  # fields of the test


def test_a_tiny_share_still_has_a_quota_that_the_kernel_takes() -> None:
    assert task_limits.files_of_v1(task_limits.TaskLimits(cpu_units=1))["cpu"]["cpu.cfs_quota_us"] == "1000"


def test_the_processes_of_any_task_may_be_limited() -> None:
    limits = task_limits.of(definition_pb2.TaskDefinition(), task_pb2.TaskOverride(), pids=100)
    assert limits
    assert task_limits.files_of_v1(limits) == {"cpu": {"cpu.shares": "2"}, "pids": {"pids.max": "100"}}
    assert task_limits.files_of_v2(limits) == {"cpu.weight": "1", "pids.max": "100"}


@pytest.mark.parametrize(
    ("task", "containers", "overridden", "shares", "weight"),
    [
        ("512", (100, 200), None, "512", "20"),
        ("", (100, 200), None, "300", "12"),
        ("", (100, 200), 1024, "1124", "43"),
        ("", (0, 0), None, "2", "1"),
        ("196608", (), None, "196608", "7500"),
        ("", (300_000,), None, "262144", "10000"),
    ],
)
def test_a_task_weighs_among_others_what_it_or_its_containers_ask_for(
    task: str, containers: tuple[int, ...], overridden: int | None, shares: str, weight: str
) -> None:
    definition = definition_pb2.TaskDefinition(cpu=task, memory="64")
    for number, cpu in enumerate(containers):
        definition.container_definitions.add(name=f"c{number}", cpu=cpu)
    overrides = task_pb2.TaskOverride()
    if overridden is not None:
        overrides.container_overrides.add(name="c0", memory=8)
        overrides.container_overrides[0].cpu = overridden - 100
        overrides.container_overrides.add(name="c1", cpu=200)
    limits = task_limits.of(definition, overrides)
    assert task_limits.files_of_v1(limits)["cpu"]["cpu.shares"] == shares
    assert task_limits.files_of_v2(limits)["cpu.weight"] == weight


async def test_v1_limits_each_controller_that_has_something_to_limit(tmp_path: Path) -> None:
    groups = v1(tmp_path)
    await groups.limit(TASK, HALF)
    base = f"longshore/home/{TASK}"
    assert groups.parent(TASK) == f"/{base}"
    assert tree(tmp_path) == {
        f"cpu/{base}/cpu.cfs_period_us": "100000",
        f"cpu/{base}/cpu.cfs_quota_us": "50000",
        f"cpu/{base}/cpu.shares": "512",
        f"memory/{base}/memory.limit_in_bytes": str(64 * 1024 * 1024),
    }


async def test_v2_hands_the_controllers_down_to_the_task(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    groups = cgroups.found(engine(version=2), "home", tmp_path)
    assert groups is not None
    await groups.limit(TASK, HALF)
    written = tree(tmp_path)
    for folder in ("", "longshore/", "longshore/home/", f"longshore/home/{TASK}/"):
        assert written[f"{folder}cgroup.subtree_control"] == "+cpu +memory +pids"
    assert written[f"longshore/home/{TASK}/cpu.max"] == "50000 100000"
    assert written[f"longshore/home/{TASK}/memory.max"] == str(64 * 1024 * 1024)


async def test_what_cannot_be_written_says_where(tmp_path: Path) -> None:
    groups = v1(tmp_path)
    (tmp_path / "cpu" / "longshore").write_text("in the way")
    with pytest.raises(cgroups.NotLimited, match=r"limits of the task could not be set: .*longshore"):
        await groups.limit(TASK, HALF)


async def test_a_controller_that_the_host_does_not_have_limits_nothing_and_says_so(tmp_path: Path) -> None:
    groups = v1(tmp_path)
    (tmp_path / "pids").rmdir()
    with pytest.raises(cgroups.NotLimited, match="could not be set: this host has no control groups for pids"):
        await groups.limit(TASK, task_limits.TaskLimits(pids=10))
    assert not (tmp_path / "pids").exists()


async def test_groups_of_unknown_tasks_are_swept_and_those_in_use_stay(tmp_path: Path) -> None:
    groups = v1(tmp_path)
    for name in ("known", "gone", "used"):
        (tmp_path / "pids" / "longshore" / "home" / name).mkdir(parents=True)
    (tmp_path / "pids" / "longshore" / "home" / "used" / "container").mkdir()
    await groups.sweep(["known"])
    assert folders(tmp_path / "pids") == {
        "longshore",
        "longshore/home",
        "longshore/home/known",
        "longshore/home/used",
        "longshore/home/used/container",
    }


async def test_with_the_last_task_our_own_groups_go(tmp_path: Path) -> None:
    groups = v1(tmp_path)
    (tmp_path / "pids" / "longshore" / "home" / TASK).mkdir(parents=True)
    await groups.remove(TASK)
    await groups.remove(TASK)
    assert folders(tmp_path) == {"cpu", "memory", "pids"}


@pytest.mark.parametrize("driver", ["systemd", ""])
def test_groups_that_are_not_ours_to_make_are_left_alone(driver: str, tmp_path: Path) -> None:
    assert cgroups.found(engine(driver), "home", tmp_path) is None


def test_a_host_without_the_controllers_cannot_limit_tasks(tmp_path: Path) -> None:
    assert cgroups.found(engine(), "home", tmp_path) is None
