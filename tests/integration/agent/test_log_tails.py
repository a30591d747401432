"""The last lines of containers outlive the host: told after the end, once acknowledged never again, until then after every crash."""

import functools
import uuid

from tests.integration.agent import conftest, definitions, fake_tracker


def data(tracker: fake_tracker.FakeTracker, task_id: str, container: str = "app") -> list[list[bytes]]:
    """What was told of a container, each time."""
    return [[line.data for line in tail.lines] for tail in tracker.log_tails.get((task_id, container), [])]


def _told(tracker: fake_tracker.FakeTracker, task_id: str) -> bool:
    return bool(data(tracker, task_id))


async def test_the_last_lines_come_after_the_end_and_once(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess
) -> None:
    task_id = uuid.uuid4().hex
    await tracker.assign(
        definitions.definition(definitions.shell("app", "i=0; while [ $i -lt 70 ]; do echo $i; i=$((i+1)); done")),
        task_id,
    )
    await tracker.stopped(task_id)
    await tracker.until(lambda: bool(data(tracker, task_id)), "the last lines")
    (tail,) = tracker.log_tails[task_id, "app"]
    assert [line.data for line in tail.lines] == [b"%d\n" % n for n in range(6, 70)]
    assert not tail.whole
    # What comes later shows that it was acknowledged before, and that nothing more came before it.
    for restart in (False, True):
        if restart:
            await agent_process.end()
            await agent_process.start()
        later = uuid.uuid4().hex
        await tracker.assign(definitions.definition(definitions.shell("app", "echo later")), later)
        await tracker.until(functools.partial(_told, tracker, later), "a later task's last lines")
        assert data(tracker, later) == [[b"later\n"]]
    assert len(data(tracker, task_id)) == 1


async def test_what_was_not_acknowledged_is_read_again_after_a_crash(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess
) -> None:
    task_id = uuid.uuid4().hex
    await tracker.assign(
        definitions.definition(definitions.shell("app", "echo before; sleep 0.3; echo after")), task_id
    )
    await tracker.running(task_id)
    tracker.deaf = True
    await agent_process.end()
    await agent_process.start()
    tracker.deaf = False
    await tracker.until(lambda: bool(data(tracker, task_id)), "the last lines")
    assert data(tracker, task_id)[-1] == [b"before\n", b"after\n"]
