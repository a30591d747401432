from pathlib import Path

from longshore.agent import disk


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
