import threading
from pathlib import Path

import pytest

from longshore.agent.images import disk


async def test_the_fullest_disk_counts_and_one_that_cannot_be_seen_does_not() -> None:
    percent = {Path("/a"): 50.0, Path("/b"): 91.0, Path("/none"): None}

    def gauge(*names: str, watermark: int = 90) -> disk.Gauge:
        return disk.Gauge([Path(name) for name in names], watermark, used=percent.__getitem__)

    assert await gauge("/a", "/b").pressed()
    assert not await gauge("/a", "/none").pressed()
    assert not await gauge("/a", "/b", watermark=95).pressed()


async def test_at_a_hundred_nobody_looks() -> None:
    def used(_: Path) -> float:
        raise AssertionError

    assert not await disk.Gauge([Path("/")], disk.NEVER, used=used).pressed()


def test_percent_is_what_df_says(tmp_path: Path) -> None:
    found = disk.used_percent(tmp_path)
    assert found is not None
    assert 0 < found <= 100
    assert disk.used_percent(tmp_path / "none") is None


async def test_a_disk_that_does_not_answer_occupies_one_thread_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "CALL_TIMEOUT_S", 0.01)
    looks, answers = [], threading.Event()

    def used(path: Path) -> float:
        looks.append(path)
        answers.wait(10)
        return 99.0

    gauge = disk.Gauge([Path("/")], 90, used=used)
    for _ in range(5):
        assert not await gauge.pressed()
    assert len(looks) == 1
    answers.set()
    monkeypatch.setattr(disk, "CALL_TIMEOUT_S", 10.0)
    assert await gauge.pressed()
