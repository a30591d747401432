"""What became of a commit whose outcome nobody heard: found out by asking the database, once it answers again."""

from collections.abc import Sequence

from longshore.scheduler import leadership, work
from longshore.storage import steps, tasks
from longshore.storage.dialect import Dialect


def read_back(dialect: Dialect, batch: work.Batch) -> steps.Step[dict[str, tasks.Intent]]:
    """The tasks of the batch that were committed.

    The lost transaction may still be on its way to its commit; once that is over, what is not there never will be.
    """
    yield from leadership.quiesce(dialect, batch.cluster)
    return (yield from tasks.intents(dialect, _task_ids(batch)))


def outcome(batch: work.Batch, found: dict[str, tasks.Intent]) -> dict[int, tuple[tasks.Intent, ...]]:
    """The new tasks by the number of their request: all of them or, where the request was not committed, none. Pure."""
    return {
        decided.number: tuple(found[slot.task_id] for slot in decided.slots if slot.task_id in found)
        for decided in batch.placements
    }


def _task_ids(batch: work.Batch) -> Sequence[str]:
    return sorted(slot.task_id for decided in batch.placements for slot in decided.slots)
