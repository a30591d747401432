"""GetTaskStatistics over real ports and both engines: from the memory of whichever tracker holds the session."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import channels, errors
from longshore.v1 import agent_service_pb2, state_tracker_service_pb2, state_tracker_service_pb2_grpc, statistics_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import Identity, Session, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2


def sample(task_id: str, cpu: float) -> statistics_pb2.TaskStatistics:
    """What an agent says of a task of one container."""
    made = statistics_pb2.TaskStatistics(task=task_id)
    made.sampled_at.seconds = 1_700_000_000
    made.containers.add(name="main", runtime_id="d" * 64, cpu_percent=cpu, memory_used_bytes=1024, pids=1)
    return made


async def tell(agent: Session, *tasks: statistics_pb2.TaskStatistics) -> None:
    """Send statistics; return when the tracker has taken them, which the acknowledgement of a report in the same message shows."""
    agent.number += 1
    await agent.send(
        statistics=statistics_pb2.InstanceStatistics(tasks=tasks),
        report=agent_service_pb2.Report(number=agent.number),
    )
    while agent.acknowledged < agent.number:
        await agent.receive()


async def get(stub: Any, **asked: Any) -> tuple[dict[str, float], dict[str, str]]:
    """CPU of each task and the reason of each failure, by ids."""
    answer = await stub.GetTaskStatistics(pb.GetTaskStatisticsRequest(cluster="web", **asked))
    found = {task.task.rpartition("/")[2]: task.containers[0].cpu_percent for task in answer.tasks}
    assert all(":task/web/" in task.task and task.sampled_at.seconds == 1_700_000_000 for task in answer.tasks)
    return found, {failure.arn.rpartition(":")[2]: failure.reason for failure in answer.failures}


async def test_the_latest_sample_is_shown_and_goes_with_the_session(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity, other = await join(), await join()
    first, second = (await world.place(identity.instance_id, 2)).task_ids
    (elsewhere,) = (await world.place(other.instance_id)).task_ids
    async with session(address, identity) as agent:
        assert await get(tracker) == ({}, {})
        assert await get(tracker, tasks=[first]) == ({}, {f"task/web/{first}": "NOT_SAMPLED"})
        await tell(agent, sample(first, 1.0), sample(second, 2.0))
        assert await get(tracker) == ({first: 1.0, second: 2.0}, {})
        await tell(agent, sample(first, 50.0))
        assert await get(tracker) == ({first: 50.0}, {})
        assert await get(tracker, container_instances=[identity.instance_id]) == ({first: 50.0}, {})
        instance = f"container-instance/web/{other.instance_id}"
        assert await get(tracker, container_instances=[other.instance_id]) == ({}, {instance: "DISCONNECTED"})
        unknown = "f" * 32
        assert await get(tracker, tasks=[first, second, elsewhere, unknown]) == (
            {first: 50.0},
            {
                f"task/web/{second}": "NOT_SAMPLED",
                f"task/web/{elsewhere}": "DISCONNECTED",
                f"task/web/{unknown}": "MISSING",
            },
        )
        assert await get(tracker, container_instances=[unknown]) == (
            {},
            {f"container-instance/web/{unknown}": "MISSING"},
        )
    async with session(address, identity):
        assert await get(tracker) == ({}, {})


async def test_another_tracker_asks_the_one_that_holds_the_session(
    start: Callable[..., Awaitable[str]], world: World
) -> None:
    first, second = await start(agent_lease=60.0), await start(agent_lease=60.0)
    async with channels.connect(first) as one, channels.connect(second) as two:
        stubs = [state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel) for channel in (one, two)]
        tracker: Any = stubs[0]
        identities = []
        for _ in range(2):
            made = await tracker.RegisterContainerInstance(fake_agent.registration())
            arn = made.container_instance.container_instance_arn
            identities.append(Identity(arn.rpartition("/")[2], made.instance_credential))
        here, there = [(await world.place(identity.instance_id)).task_ids[0] for identity in identities]
        async with session(first, identities[0]) as near, session(second, identities[1]) as far:
            await tell(near, sample(here, 1.0))
            await tell(far, sample(there, 2.0))
            for stub in stubs:
                assert await get(stub) == ({here: 1.0, there: 2.0}, {})
                assert await get(stub, tasks=[there]) == ({there: 2.0}, {})
                assert await get(stub, container_instances=[identities[0].instance_id]) == ({here: 1.0}, {})
            # Whoever holds it does not answer: the rest is shown, and who is missing.
            await world.execute("UPDATE trackers SET address = '127.0.0.1:1' WHERE address = $1", second)
            away = f"container-instance/web/{identities[1].instance_id}"
            assert await get(stubs[0]) == ({here: 1.0}, {away: "DISCONNECTED"})
            assert await get(stubs[0], tasks=[there]) == ({}, {f"task/web/{there}": "DISCONNECTED"})


async def test_a_cluster_that_is_not_there_and_too_many_names_are_refused(tracker: Any, world: World) -> None:
    with pytest.raises(errors.ClusterNotFoundException):
        await tracker.GetTaskStatistics(pb.GetTaskStatisticsRequest(cluster="nowhere"))
    many = [f"{number:032x}" for number in range(1001)]
    with pytest.raises(errors.InvalidParameterException, match="at most 1000 items, 1001 were given"):
        await tracker.GetTaskStatistics(pb.GetTaskStatisticsRequest(cluster="web", tasks=many))


async def test_samples_that_nobody_could_be_shown_and_those_of_others_tasks_are_left_out(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity, other = await join(), await join()
    (mine,) = (await world.place(identity.instance_id)).task_ids
    (foreign,) = (await world.place(other.instance_id)).task_ids
    bad = [sample(name, 1.0) for name in ("", "a/b", "\0", "arn:aws:ecs:x", "n" * 65)]
    bad += [sample("b" * 32, number) for number in (math.nan, math.inf, -1.0)]
    bad.append(sample("c" * 32, 1.0))
    bad[-1].sampled_at.seconds = 2**62
    bad.append(sample("e" * 32, 1.0))
    bad[-1].containers[0].memory_used_bytes = -1
    async with session(address, identity) as agent, session(address, other) as honest:
        await tell(honest, sample(foreign, 3.0))
        await tell(agent, *bad, sample(mine, 2.0), sample(foreign, 99.0))
        assert await get(tracker, tasks=[mine, foreign]) == ({mine: 2.0, foreign: 3.0}, {})
        assert await get(tracker, container_instances=[other.instance_id]) == ({foreign: 3.0}, {})
        assert set((await get(tracker))[0]) == {mine, foreign}
