"""Samples from the kernel's files, as they were read on hosts with either generation of control groups, and from Docker's answer."""

import pytest

from longshore.agent.metadata import samples

V1_MEMORY_STAT = """\
cache 5251072
rss 110592
inactive_file 5242880
active_file 8192
hierarchical_memory_limit 67108864
hierarchical_memsw_limit 134217728
total_cache 5251072
total_rss 110592
total_inactive_anon 102400
total_inactive_file 5242880
total_active_file 8192
total_unevictable 0
"""
V1_BLKIO = """\
8:0 Read 4096
8:0 Write 5242880
8:0 Sync 5242880
8:0 Async 4096
8:0 Discard 0
8:0 Total 5246976
253:1 Read 1000
253:1 Write 24
253:1 Total 1024
Total 5248000
"""
V2_CPU_STAT = """\
usage_usec 34331
user_usec 20000
system_usec 14331
nr_periods 0
nr_throttled 0
throttled_usec 0
"""
V2_MEMORY_STAT = """\
anon 110592
file 5251072
kernel_stack 16384
inactive_anon 102400
active_anon 8192
inactive_file 5242880
active_file 8192
"""
V2_IO_STAT = """\
8:0 rbytes=4096 wbytes=5242880 rios=1 wios=12 dbytes=0 dios=0
253:1 rbytes=1000 wbytes=24 rios=1 wios=1 dbytes=0 dios=0
7:0
"""
NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
  eth0:     736       8    0    0    0     0          0         0       42       1    0    0    0     0       0          0
  eth1:1000000000000 8    0    0    0     0          0         0       58       1    0    0    0     0       0          0
"""


def test_version_1() -> None:
    found = samples.of_v1(
        usage="34331651\n", memory="6205440\n", memory_stat=V1_MEMORY_STAT, blkio=V1_BLKIO, pids="2\n"
    )
    assert found == samples.Sample(
        cpu_ns=34_331_651,
        memory_used=962_560,
        memory_limit=67_108_864,
        block_read=5096,
        block_written=5_242_904,
        pids=2,
    )


def test_version_2() -> None:
    found = samples.of_v2(
        cpu_stat=V2_CPU_STAT,
        memory="6205440\n",
        memory_max="67108864\n",
        memory_stat=V2_MEMORY_STAT,
        io_stat=V2_IO_STAT,
        pids="2\n",
    )
    assert found == samples.Sample(
        cpu_ns=34_331_000,
        memory_used=962_560,
        memory_limit=67_108_864,
        block_read=5096,
        block_written=5_242_904,
        pids=2,
    )


def test_version_2_without_a_limit() -> None:
    found = samples.of_v2(cpu_stat=V2_CPU_STAT, memory="10", memory_max="max\n", memory_stat="", io_stat="", pids="1")
    assert (found.memory_limit, found.memory_used, found.block_read, found.block_written) == (0, 10, 0, 0)


def test_a_file_without_a_number_says_so() -> None:
    with pytest.raises(samples.Unreadable, match="'no' is no number"):
        samples.of_v1(usage="1", memory="no", memory_stat="", blkio="", pids="1")


def test_the_networks_counters_leave_the_loopback_out() -> None:
    assert samples.network(NET_DEV) == samples.Network(received=1_000_000_000_736, sent=100)
    assert samples.network("\n".join(NET_DEV.splitlines()[:3])) is None


def test_dockers_answer_says_the_same() -> None:
    answer = {
        "cpu_stats": {"cpu_usage": {"total_usage": 34_331_651}},
        "memory_stats": {"usage": 6_205_440, "limit": 67_108_864, "stats": {"total_inactive_file": 5_242_880}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 4096},
                {"op": "write", "value": 24},
                {"op": "Total", "value": 4120},
            ]
        },
        "pids_stats": {"current": 2},
        "networks": {"eth0": {"rx_bytes": 736, "tx_bytes": 42}},
    }
    assert samples.of_docker(answer) == samples.Sample(
        34_331_651, 962_560, 67_108_864, 4096, 24, 2, samples.Network(736, 42)
    )


def test_docker_has_zeros_only_of_what_does_not_run() -> None:
    assert samples.of_docker({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) is None


@pytest.mark.parametrize(
    ("used", "elapsed", "percent"), [(10, 100, 10.0), (300, 200, 150.0), (-5, 100, 0.0), (5, 0, 0.0)]
)
def test_cpu_is_told_in_percent_of_one_core(used: int, elapsed: int, percent: float) -> None:
    assert samples.cpu_percent(used, elapsed) == percent
