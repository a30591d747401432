"""What every commit must keep to. Each breach is a Violation."""

from tests.property.control_plane import tables
from tests.property.control_plane.tables import Violation


def at_commit(rows: tables.Rows, written: tables.Rows) -> None:
    """At what a commit is about to write."""
    for key, row in written.items():
        before = rows.get(key)
        if key[0] == "intent" and before is None and not (rows | written)["instance", row.instance].connected:
            raise Violation(f"{row.task} is placed on {row.instance}, for which nobody speaks")
        if key[0] == "intent" and before is not None and row.wanted and not before.wanted:
            raise Violation(f"{row.task} is wanted again")
        if key[0] == "observation" and before is not None:
            if row.last_status < before.last_status or (before.released and not row.released):
                raise Violation(f"{key[1]} goes back from {before.last_status} to {row.last_status}")
            if row.revision != before.revision + 1:
                raise Violation(f"{key[1]} goes from revision {before.revision} to {row.revision}")
        if key[0] == "event" and before is not None:
            raise Violation(f"the log has two events {key[1]}")
