"""Where a container's numbers are found in the kernel's trees, of both generations, and when they cannot be seen."""

from pathlib import Path

import pytest

from longshore.agent.metadata import cgroup_statistics, samples
from tests.unit.agent import test_samples as captured

ID = "d" * 64
V1 = {
    "cpuacct/{group}/cpuacct.usage": "34331651\n",
    "memory/{group}/memory.usage_in_bytes": "6205440\n",
    "memory/{group}/memory.stat": captured.V1_MEMORY_STAT,
    "blkio/{group}/blkio.throttle.io_service_bytes_recursive": captured.V1_BLKIO,
    "pids/{group}/pids.current": "2\n",
    "pids/{group}/cgroup.procs": "41\n42\n",
}
V2 = {
    "{group}/cpu.stat": captured.V2_CPU_STAT,
    "{group}/memory.current": "6205440\n",
    "{group}/memory.max": "max\n",
    "{group}/memory.stat": captured.V2_MEMORY_STAT,
    "{group}/io.stat": captured.V2_IO_STAT,
    "{group}/pids.current": "2\n",
    "{group}/cgroup.procs": "41\n42\n",
}


def tree(root: Path, files: dict[str, str], group: str) -> None:
    """Write the files of a group."""
    for name, text in files.items():
        path = root / name.format(group=group)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def reader(tmp_path: Path, version: int) -> cgroup_statistics.CgroupStatistics:
    """Reads trees in the folder; process 41 has a network."""
    net = tmp_path / "proc/41/net/dev"
    net.parent.mkdir(parents=True, exist_ok=True)
    net.write_text(captured.NET_DEV)
    return cgroup_statistics.CgroupStatistics(version=version, root=tmp_path / "cgroup", proc=tmp_path / "proc")


def target(parent: str = "", *, own_network: bool = True) -> cgroup_statistics.Target:
    """The container of these tests."""
    return cgroup_statistics.Target("a" * 32, "app", ID, parent, own_network)


@pytest.mark.parametrize(("version", "files"), [(1, V1), (2, V2)])
@pytest.mark.parametrize(
    ("group", "parent"),
    [
        (f"docker/{ID}", ""),
        (f"system.slice/docker-{ID}.scope", ""),
        (f"longshore/home/task/{ID}", "/longshore/home/task"),
        (
            f"longshore.slice/longshore-home.slice/longshore-home-task.slice/docker-{ID}.scope",
            "longshore-home-task.slice",
        ),
        (f"docker/{ID}", "/longshore/home/task"),
    ],
)
def test_a_container_is_found_wherever_the_engine_has_put_it(
    tmp_path: Path, version: int, files: dict[str, str], group: str, parent: str
) -> None:
    tree(tmp_path / "cgroup", files, group)
    if version == 2:
        (tmp_path / "cgroup" / group).parent.joinpath("memory.max").write_text("1048576\n")
    found = reader(tmp_path, version).read(target(parent))
    assert found is not None
    assert (found.memory_used, found.block_read, found.pids) == (962_560, 5096, 2)
    assert found.network == samples.Network(1_000_000_000_736, 100)
    in_tasks_group = version == 2 and group.startswith("longshore")
    assert found.memory_limit == (67_108_864 if version == 1 else 1_048_576 if in_tasks_group else 0)


def test_a_container_in_the_hosts_network_has_none_of_its_own(tmp_path: Path) -> None:
    tree(tmp_path / "cgroup", V1, f"docker/{ID}")
    found = reader(tmp_path, 1).read(target(own_network=False))
    assert found is not None
    assert found.network is None


@pytest.mark.parametrize("processes", ["0\n0\n", "", "77\n"])
def test_what_cannot_be_seen_from_here_is_left_to_the_engine(tmp_path: Path, processes: str) -> None:
    """No control group; or one whose processes are in a namespace above ours, or gone."""
    assert reader(tmp_path, 1).read(target()) is None
    tree(tmp_path / "cgroup", V1 | {"pids/{group}/cgroup.procs": processes}, f"docker/{ID}")
    assert reader(tmp_path, 1).read(target()) is None


def test_a_kernel_without_block_statistics_has_none(tmp_path: Path) -> None:
    files = {name: text for name, text in V2.items() if "io.stat" not in name}
    tree(tmp_path / "cgroup", files, f"docker/{ID}")
    found = reader(tmp_path, 2).read(target())
    assert found is not None
    assert (found.block_read, found.block_written) == (0, 0)
