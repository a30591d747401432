from pathlib import Path

import pytest

from longshore.storage import database


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "sqlite:///", "sqlite://host/path", "state.db", ""])
async def test_other_urls_are_refused_without_a_trace_of_their_secrets(url: str) -> None:
    with pytest.raises(ValueError, match="neither sqlite:///PATH nor postgresql://"):
        await database.open_database(url)


async def test_the_url_of_a_refusal_shows_no_password() -> None:
    with pytest.raises(ValueError, match="neither") as caught:
        await database.open_database("mysql://user:secret@host/d")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("slashes", ["", "/"])
async def test_a_path_is_absolute_with_three_slashes_and_with_four(slashes: str, tmp_path: Path) -> None:
    await (await database.open_database(f"sqlite://{slashes}{tmp_path}/a%20b/state.db")).close()
    assert (tmp_path / "a b" / "state.db").exists()
