"""What ListTasks filters by in SQL is what `views.visible` says in Python, for every combination of the halves."""

import itertools

from longshore.storage import steps, tasks
from longshore.v1 import task_pb2
from longshore.views import visible
from tests.rpc.state_tracker.world import World

STATUSES = (None, task_pb2.TASK_STATUS_PENDING, task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED)


async def test_the_filter_on_the_desired_status_agrees_with_the_view(world: World) -> None:
    combinations = list(itertools.product((False, True), STATUSES, (None, 7)))
    ids = (await world.place("i" * 32, len(combinations), publish=False)).task_ids
    for task_id, (asked, status, cause_at) in zip(ids, combinations, strict=True):
        if asked:
            await world.stop(task_id, publish=False)
        if status is not None:
            row = tasks.Observation(task_id, "web", "i" * 32, status, 0, "", cause_at, None, None, False, 1, b"")
            values = [getattr(row, column) for column in tasks.OBSERVATION_COLUMNS]
            values[tasks.OBSERVATION_COLUMNS.index("released")] = 0
            await world.database.run(
                lambda _, values=values: steps.insert_many("task_observations", tasks.OBSERVATION_COLUMNS, [values])  # type: ignore[misc]  # the default binds now
            )
    shown = {task_id: await world.halves(task_id) for task_id in ids}
    for desired in (task_pb2.DESIRED_STATUS_RUNNING, task_pb2.DESIRED_STATUS_STOPPED):
        filters = tasks.Filters(desired_status=desired)
        listed = await world.database.read(lambda _, f=filters: tasks.listed("web", f, "", 100))  # type: ignore[misc]  # the default binds now
        expected = [
            task_id
            for task_id in ids
            if visible.state(shown[task_id].intent, shown[task_id].observation).desired_status == desired
        ]
        assert listed == expected
