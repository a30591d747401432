"""The tags of capacity providers as rows, of which there is none until one is tagged."""

from longshore.registry import tagging
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2


def tags() -> steps.Step[dict[str, list[common_pb2.Tag]]]:
    """The tags by provider; one that was never tagged is left out."""
    rows = yield from steps.fetch("SELECT name, tags FROM capacity_provider_tags")
    return {row["name"]: tagging.unpacked(row["tags"]) for row in rows}


def change_tags(dialect: Dialect, name: str, change: tagging.Change) -> steps.Step[None]:
    """Change the tags of a provider that exists."""
    # A row first, so that there is one to lock: of two who tag it at once the second sees what the first did.
    yield from steps.execute(
        "INSERT INTO capacity_provider_tags (name, tags) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        name,
        tagging.packed(()),
    )
    row = yield from steps.fetch_row(
        f"SELECT tags FROM capacity_provider_tags WHERE name = $1 {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        name,
    )
    assert row is not None  # noqa: S101 - inserted above, and nobody deletes it
    changed = change(tagging.unpacked(row["tags"]))
    yield from steps.execute(
        "UPDATE capacity_provider_tags SET tags = $2 WHERE name = $1", name, tagging.packed(changed)
    )
