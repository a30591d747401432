"""`longshore stats`: amounts and rows as a person reads them."""

from datetime import UTC, datetime

import pytest

from longshore.cli import stats
from longshore.v1 import statistics_pb2

NOW = datetime.fromtimestamp(1_700_000_007, UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (960 * 1024, "960 KiB"),
        (64 << 20, "64.0 MiB"),
        (3 << 60, "3072 PiB"),
    ],
)
def test_bytes_are_shown_in_the_largest_unit_that_fits(count: int, text: str) -> None:
    assert stats.amount(count) == text


def test_a_row_for_each_container_with_what_is_not_known_left_open() -> None:
    task = statistics_pb2.TaskStatistics(task="arn:aws:ecs:us-east-1:000000000000:task/web/abc")
    task.sampled_at.seconds = 1_700_000_000
    task.containers.add(
        name="app",
        cpu_percent=12.346,
        memory_used_bytes=32 << 20,
        memory_limit_bytes=64 << 20,
        network_rx_bytes=1000,
        network_tx_bytes=2048,
        block_read_bytes=4096,
        pids=3,
    )
    task.containers.add(name="host", memory_used_bytes=1024)
    assert list(stats.lines(task, NOW)) == [
        ("abc", "app", "12.35", "32.0 MiB", "64.0 MiB", "50.0", "1000 B", "2.0 KiB", "4.0 KiB", "0 B", "3", "7s"),
        ("abc", "host", "0.00", "1.0 KiB", "-", "-", "-", "-", "0 B", "0 B", "0", "7s"),
    ]
