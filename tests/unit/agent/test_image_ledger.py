import asyncio
from pathlib import Path

from longshore.agent import image_ledger, pulls, state_file, stored


async def test_what_was_pulled_and_last_used_is_there_after_a_restart(tmp_path: Path) -> None:
    file = state_file.StateFile(tmp_path / "agent.db")
    ledger = image_ledger.Ledger(file)
    await ledger.pulled("app:1", pulls.CachedImage("one", "d1"), 10)
    await ledger.pulled("app:2", pulls.CachedImage("one", "d1"), 20)
    await ledger.pulled("other:1", pulls.CachedImage("two", "d2"), 30)
    await ledger.used(["one", "unknown", ""], 40)
    await ledger.gone(["two"])
    await file.close()

    again = state_file.StateFile(tmp_path / "agent.db")
    restored = image_ledger.Ledger(again, (await again.load()).images)
    assert restored.images == {"one": stored.PulledImage("one", frozenset({"app:1", "app:2"}), 20, 40)}
    assert restored.has_pulled("app:1")
    assert not restored.has_pulled("other:1")
    await again.close()


def test_a_name_is_of_the_image_that_was_pulled_last() -> None:
    ledger = image_ledger.Ledger(stored.MemoryStore())

    async def pull() -> None:
        await ledger.pulled("app:1", pulls.CachedImage("one", ""), 1)
        await ledger.pulled("app:1", pulls.CachedImage("two", ""), 2)

    asyncio.run(pull())
    assert ledger.by_name("app:1") == "two"
    assert ledger.images["one"].names == frozenset()
    assert ledger.by_name("none") == ""
