"""The tags of a task: part of its intent, changed under the row's lock. Any scheduler may; they decide nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from longshore.rpc import errors
from longshore.scheduler import request_rules
from longshore.storage import steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, record_pb2

NOT_FOUND = "The referenced task was not found."


def add(dialect: Dialect, cluster: str, task_id: str, tags: Mapping[str, str]) -> steps.Step[None]:
    """Add tags, or overwrite their values. Raises InvalidParameterException and LimitExceededException."""

    def change(present: dict[str, str]) -> None:
        present.update(tags)
        if len(present) > request_rules.MAX_TAGS:
            raise errors.LimitExceededException(
                f"The task would have {len(present)} tags, {request_rules.MAX_TAGS} are allowed."
            )

    yield from _change(dialect, cluster, task_id, change)


def remove(dialect: Dialect, cluster: str, task_id: str, keys: Iterable[str]) -> steps.Step[None]:
    """Remove tags by key; unknown keys are ignored."""

    def change(present: dict[str, str]) -> None:
        for key in keys:
            present.pop(key, None)

    yield from _change(dialect, cluster, task_id, change)


def read(dialect: Dialect, cluster: str, task_id: str) -> steps.Step[Sequence[common_pb2.Tag]]:
    """The tags, by key."""
    intent = (yield from tasks.intents(dialect, [task_id])).get(task_id)
    if intent is None or intent.cluster != cluster:
        raise _not_found(task_id)
    return sorted(intent.record().tags, key=lambda tag: tag.key)


def pack(record: record_pb2.TaskIntentRecord, tags: Mapping[str, str]) -> None:
    """Put tags into a record in place of those it has."""
    del record.tags[:]
    record.tags.extend(common_pb2.Tag(key=key, value=value) for key, value in sorted(tags.items()))


def _change(dialect: Dialect, cluster: str, task_id: str, change: Callable[[dict[str, str]], None]) -> steps.Step[None]:
    body = yield from steps.fetch_value(
        f"SELECT body FROM task_intents WHERE task_id = $1 AND cluster = $2 {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        task_id,
        cluster,
    )
    if body is None:
        raise _not_found(task_id)
    record = record_pb2.TaskIntentRecord.FromString(body)
    tags = {tag.key: tag.value for tag in record.tags}
    change(tags)
    pack(record, tags)
    yield from steps.execute(
        "UPDATE task_intents SET body = $2 WHERE task_id = $1", task_id, record.SerializeToString()
    )


def _not_found(task_id: str) -> errors.InvalidParameterException:
    return errors.InvalidParameterException(NOT_FOUND, task=task_id)
