"""Statistics through the whole stack: from a real container to the command, whichever state-tracker is asked."""

import asyncio

from longshore.v1 import state_tracker_service_pb2
from tests.e2e import calls, stacks

BOUND_S = 30.0
POLL_S = 0.2


async def until_measured(stack: stacks.Stack, arn: str) -> None:
    """Return when a task has a sample: it is measured at its agent's next pass, of which nobody tells."""
    asked = state_tracker_service_pb2.GetTaskStatisticsRequest(tasks=[arn])
    async with stack.client() as client, asyncio.timeout(BOUND_S):
        while not (found := await client.call(client.state_tracker.GetTaskStatistics, asked)).tasks:
            assert [(failure.arn, failure.reason) for failure in found.failures] == [(arn, "NOT_SAMPLED")]
            await asyncio.sleep(POLL_S)


def test_stats_shows_what_a_container_uses(stack: stacks.Stack) -> None:
    container = '[{"name": "main", "image": "busybox", "memory": 32, "command": ["sleep", "600"], "stopTimeout": 1}]'
    stack.command("run", "-", "--family", "measured", stdin=container)
    (arn,) = calls.run_json(stack, "task", "list", "--family", "measured")["taskArns"]
    asyncio.run(until_measured(stack, arn))
    (task,) = calls.run_json(stack, "stats", arn)["tasks"]
    (used,) = task["containers"]
    assert (task["task"], used["name"], used["memoryLimitBytes"], used["pids"]) == (arn, "main", 32 << 20, 1)
    assert 0 < used["memoryUsedBytes"] < 32 << 20
    shown = stack.command("stats").stdout.splitlines()
    (line,) = (line for line in shown if arn.rpartition("/")[2] in line)
    assert line.split()[1] == "main"
    assert "32.0 MiB" in line
    stack.command("stop", arn)
