"""Container instances: registered, described, drained, tagged, deregistered; over a real port and both engines."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import errors
from longshore.v1 import (
    common_pb2,
    container_instance_pb2,
    event_pb2,
    state_tracker_service_pb2,
    task_pb2,
)
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import RUNNING, Identity, observed, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2

ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
DRAINING = container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
INACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_INACTIVE


async def described(
    tracker: Any, instance_id: str, *include: pb.ContainerInstanceField.ValueType
) -> container_instance_pb2.ContainerInstance:
    answer = await tracker.DescribeContainerInstances(
        pb.DescribeContainerInstancesRequest(cluster="web", container_instances=[instance_id], include=include)
    )
    (instance,) = answer.container_instances
    assert isinstance(instance, container_instance_pb2.ContainerInstance)
    return instance


def custom(instance: container_instance_pb2.ContainerInstance) -> dict[str, str]:
    return {a.name: a.value for a in instance.attributes if not a.name.startswith("ecs.")}


async def test_a_registration_answers_the_instance_and_its_credential(tracker: Any, world: World) -> None:
    answer = await tracker.RegisterContainerInstance(
        fake_agent.registration(tags=[common_pb2.Tag(key="rack", value="7")])
    )
    instance = answer.container_instance
    assert instance.container_instance_arn.startswith("arn:aws:ecs:us-east-1:123456789012:container-instance/web/")
    assert len(answer.instance_credential) >= 40
    assert (instance.status, instance.agent_connected, instance.version) == (ACTIVE, False, 1)
    assert [(tag.key, tag.value) for tag in instance.tags] == [("rack", "7")]
    head = await world.row("SELECT registered_instances FROM log_head WHERE cluster = $1", "web")
    assert head["registered_instances"] == 1
    event = (await world.events())[-1]
    assert event.container_instance.membership_revision == 1
    assert (event.principal, bool(event.request_id)) == ("local-admin", True)


async def test_a_registration_needs_an_active_cluster(tracker: Any, world: World) -> None:
    with pytest.raises(errors.ClusterNotFoundException):
        await tracker.RegisterContainerInstance(fake_agent.registration(cluster="nowhere"))
    await world.delete_cluster()
    with pytest.raises(errors.ClusterNotFoundException, match="inactive"):
        await tracker.RegisterContainerInstance(fake_agent.registration())


async def test_registering_again_brings_what_the_host_has_now_and_keeps_what_was_put(
    tracker: Any, join: Join, world: World
) -> None:
    identity = await join()
    await tracker.PutAttributes(
        pb.PutAttributesRequest(
            cluster="web",
            attributes=[common_pb2.Attribute(name="stack", value="blue", target_id=identity.instance_id)],
        )
    )
    answer = await tracker.RegisterContainerInstance(
        fake_agent.registration(
            container_instance_arn=identity.instance_id,
            instance_credential=identity.credential,
            total_resources=fake_agent.resources(cpu=8192),
            attributes=[
                common_pb2.Attribute(name="ecs.os-type", value="linux"),
                common_pb2.Attribute(name="stack", value="ignored"),
            ],
        )
    )
    instance = answer.container_instance
    assert not answer.instance_credential
    assert {a.name: a.value for a in instance.attributes} == {"ecs.os-type": "linux", "stack": "blue"}
    assert instance.registered_resources[0].integer_value == 8192
    assert instance.version == 3
    head = await world.row("SELECT registered_instances FROM log_head WHERE cluster = $1", "web")
    assert head["registered_instances"] == 1


async def test_registering_again_is_refused_to_strangers(tracker: Any, join: Join) -> None:
    identity = await join()
    with pytest.raises(errors.Unauthenticated):
        await tracker.RegisterContainerInstance(
            fake_agent.registration(container_instance_arn=identity.instance_id, instance_credential="guess")
        )
    with pytest.raises(errors.ResourceNotFoundException):
        await tracker.RegisterContainerInstance(
            fake_agent.registration(container_instance_arn="0" * 32, instance_credential=identity.credential)
        )


async def test_a_description_shows_what_is_in_use_and_the_counts(
    tracker: Any, address: str, join: Join, world: World
) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2, ports="8080/tcp,53/udp")
    async with session(address, identity) as agent:
        await agent.report(observed(placed.task_ids[0], RUNNING))
        instance = await described(tracker, identity.instance_id, pb.CONTAINER_INSTANCE_FIELD_CONTAINER_INSTANCE_HEALTH)
    left = {r.name: list(r.string_set_value) or r.integer_value for r in instance.remaining_resources}
    assert left == {"CPU": 4096 - 512, "MEMORY": 8192 - 256, "PORTS": ["22", "8080", "51678"], "PORTS_UDP": ["53"]}
    assert (instance.running_tasks_count, instance.pending_tasks_count) == (1, 1)
    assert instance.agent_connected
    assert instance.health_status.overall_status == container_instance_pb2.INSTANCE_HEALTH_CHECK_STATE_OK


async def test_a_description_names_what_is_missing(tracker: Any, join: Join) -> None:
    identity = await join()
    unknown = "0" * 32
    answer = await tracker.DescribeContainerInstances(
        pb.DescribeContainerInstancesRequest(cluster="web", container_instances=[unknown, identity.instance_id])
    )
    assert [instance.container_instance_arn[-32:] for instance in answer.container_instances] == [identity.instance_id]
    assert [(failure.arn[-32:], failure.reason) for failure in answer.failures] == [(unknown, "MISSING")]


async def test_lists_go_in_pages_that_stay_right_while_instances_join(tracker: Any, join: Join) -> None:
    ids = [(await join()).instance_id for _ in range(5)]
    request = pb.ListContainerInstancesRequest(cluster="web", max_results=2)
    seen: list[str] = []
    while True:
        answer = await tracker.ListContainerInstances(request)
        seen += [arn[-32:] for arn in answer.container_instance_arns]
        if not answer.next_token:
            break
        request.next_token = answer.next_token
        if len(ids) == 5:
            ids.append((await join()).instance_id)
    assert seen == sorted(ids)


async def test_a_list_can_be_of_one_status_and_leaves_inactive_ones_out(tracker: Any, join: Join) -> None:
    kept, drained, gone = [(await join()).instance_id for _ in range(3)]
    await set_state(tracker, DRAINING, drained)
    await tracker.DeregisterContainerInstance(
        pb.DeregisterContainerInstanceRequest(cluster="web", container_instance=gone)
    )

    async def listed(status: Any = 0) -> list[str]:
        answer = await tracker.ListContainerInstances(pb.ListContainerInstancesRequest(cluster="web", status=status))
        return [arn[-32:] for arn in answer.container_instance_arns]

    assert await listed() == sorted([kept, drained])
    assert await listed(DRAINING) == [drained]
    assert await listed(INACTIVE) == [gone]


async def test_an_expression_filters_the_list_and_its_pages(tracker: Any, join: Join, world: World) -> None:
    ids = [(await join()).instance_id for _ in range(3)]
    attribute = common_pb2.Attribute(name="stack", value="prod", target_id=ids[1])
    await tracker.PutAttributes(pb.PutAttributesRequest(cluster="web", attributes=[attribute]))

    async def listed(text: str, **fields: Any) -> pb.ListContainerInstancesResponse:
        request = pb.ListContainerInstancesRequest(cluster="web", filter=text, **fields)
        answer: pb.ListContainerInstancesResponse = await tracker.ListContainerInstances(request)
        return answer

    async def matching(text: str) -> list[str]:
        return [arn[-32:] for arn in (await listed(text)).container_instance_arns]

    assert await matching("attribute:stack == prod") == [ids[1]]
    assert await matching("attribute:stack !exists") == sorted([ids[0], ids[2]])
    assert await matching("runningTasksCount == 0 and not(task:group == x)") == sorted(ids)
    assert await matching("registeredAt < 2000-01-01") == []
    page = await listed("attribute:stack !exists", max_results=1)
    rest = await listed("attribute:stack !exists", max_results=1, next_token=page.next_token)
    assert sorted(arn[-32:] for one in (page, rest) for arn in one.container_instance_arns) == sorted([ids[0], ids[2]])
    assert not rest.next_token
    with pytest.raises(errors.InvalidParameterException, match=r"cluster query language: .* \(column 1\)"):
        await listed("x == y")


async def set_state(tracker: Any, status: Any, *instances: str) -> pb.UpdateContainerInstancesStateResponse:
    answer: pb.UpdateContainerInstancesStateResponse = await tracker.UpdateContainerInstancesState(
        pb.UpdateContainerInstancesStateRequest(cluster="web", container_instances=instances, status=status)
    )
    return answer


async def test_draining_and_back_bump_the_membership_once_each(tracker: Any, join: Join, world: World) -> None:
    identity = await join()
    drained = await set_state(tracker, DRAINING, identity.instance_id)
    again = await set_state(tracker, DRAINING, identity.instance_id)
    active = await set_state(tracker, ACTIVE, identity.instance_id)
    states = [answer.container_instances[0].status for answer in (drained, again, active)]
    assert states == [DRAINING, DRAINING, ACTIVE]
    changes = [event.container_instance for event in await world.events()]
    assert [(change.version, change.status) for change in changes] == [(1, ACTIVE), (2, DRAINING), (3, ACTIVE)]
    revisions = [change.membership_revision for change in changes]
    assert revisions == sorted(set(revisions))


async def test_only_active_and_draining_can_be_set(tracker: Any, join: Join) -> None:
    identity = await join()
    with pytest.raises(errors.InvalidParameterException, match="ACTIVE, DRAINING"):
        await set_state(tracker, INACTIVE, identity.instance_id)


async def test_an_unknown_and_an_inactive_instance_are_failures_of_their_own(tracker: Any, join: Join) -> None:
    gone = await join()
    await tracker.DeregisterContainerInstance(
        pb.DeregisterContainerInstanceRequest(cluster="web", container_instance=gone.instance_id)
    )
    answer = await set_state(tracker, DRAINING, gone.instance_id, "0" * 32)
    assert sorted(failure.reason for failure in answer.failures) == ["INACTIVE", "MISSING"]
    assert not answer.container_instances


async def test_attributes_are_put_listed_and_deleted(tracker: Any, join: Join) -> None:
    first, second = sorted([(await join()).instance_id for _ in range(2)])
    put = await tracker.PutAttributes(
        pb.PutAttributesRequest(
            cluster="web",
            attributes=[
                common_pb2.Attribute(name="stack", value="blue", target_id=first),
                common_pb2.Attribute(name="stack", value="green", target_id=second),
                common_pb2.Attribute(name="bare", target_id=second),
            ],
        )
    )
    assert [attribute.value for attribute in put.attributes] == ["blue", "green", ""]
    request = pb.ListAttributesRequest(
        cluster="web", target_type=common_pb2.TARGET_TYPE_CONTAINER_INSTANCE, attribute_name="stack", max_results=1
    )
    page = await tracker.ListAttributes(request)
    request.next_token = page.next_token
    rest = await tracker.ListAttributes(request)
    found = [(a.target_id[-32:], a.value) for a in (*page.attributes, *rest.attributes)]
    assert found == [(first, "blue"), (second, "green")]
    assert not rest.next_token
    gone = await tracker.DeleteAttributes(
        pb.DeleteAttributesRequest(
            cluster="web",
            attributes=[common_pb2.Attribute(name=name, target_id=second) for name in ("stack", "never-there")],
        )
    )
    assert [(a.name, a.value, a.target_id[-32:]) for a in gone.attributes] == [("stack", "green", second)]
    assert custom(await described(tracker, second)) == {"bare": ""}
    assert custom(await described(tracker, first)) == {"stack": "blue"}


async def test_attributes_of_an_unknown_target_change_nothing_at_all(tracker: Any, join: Join) -> None:
    identity = await join()
    with pytest.raises(errors.TargetNotFoundException):
        await tracker.PutAttributes(
            pb.PutAttributesRequest(
                cluster="web",
                attributes=[
                    common_pb2.Attribute(name="stack", value="blue", target_id=identity.instance_id),
                    common_pb2.Attribute(name="stack", value="blue", target_id="0" * 32),
                ],
            )
        )
    assert custom(await described(tracker, identity.instance_id)) == {}


async def test_an_eleventh_custom_attribute_is_too_many(tracker: Any, join: Join) -> None:
    identity = await join()

    def attributes(*names: str) -> pb.PutAttributesRequest:
        return pb.PutAttributesRequest(
            cluster="web",
            attributes=[common_pb2.Attribute(name=name, target_id=identity.instance_id) for name in names],
        )

    await tracker.PutAttributes(attributes(*(f"a{number}" for number in range(10))))
    with pytest.raises(errors.AttributeLimitExceededException, match="would make 11"):
        await tracker.PutAttributes(attributes("one-more"))
    with pytest.raises(errors.InvalidParameterException, match="agent sets"):
        await tracker.PutAttributes(attributes("ecs.mine"))


async def test_tags_are_added_overwritten_and_removed(tracker: Any, join: Join) -> None:
    identity = await join()

    async def tag(**tags: str) -> None:
        await tracker.TagContainerInstance(
            pb.TagContainerInstanceRequest(
                cluster="web",
                container_instance=identity.instance_id,
                tags=[common_pb2.Tag(key=key, value=value) for key, value in tags.items()],
            )
        )

    await tag(rack="7", team="ops")
    await tag(rack="8")
    await tracker.UntagContainerInstance(
        pb.UntagContainerInstanceRequest(
            cluster="web", container_instance=identity.instance_id, tag_keys=["team", "none"]
        )
    )
    answer = await tracker.ListTagsForContainerInstance(
        pb.ListTagsForContainerInstanceRequest(cluster="web", container_instance=identity.instance_id)
    )
    assert [(tag.key, tag.value) for tag in answer.tags] == [("rack", "8")]
    assert not (await described(tracker, identity.instance_id)).tags
    assert (await described(tracker, identity.instance_id, pb.CONTAINER_INSTANCE_FIELD_TAGS)).tags
    with pytest.raises(errors.InvalidParameterException, match="reserved"):
        await tracker.TagContainerInstance(
            pb.TagContainerInstanceRequest(
                cluster="web", container_instance=identity.instance_id, tags=[common_pb2.Tag(key="AWS:x")]
            )
        )


async def deregister(
    tracker: Any, instance_id: str, *, force: bool = False
) -> container_instance_pb2.ContainerInstance:
    answer = await tracker.DeregisterContainerInstance(
        pb.DeregisterContainerInstanceRequest(cluster="web", container_instance=instance_id, force=force)
    )
    instance: container_instance_pb2.ContainerInstance = answer.container_instance
    return instance


async def test_an_instance_with_tasks_is_deregistered_by_force_only(
    tracker: Any, address: str, join: Join, world: World
) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2)
    async with session(address, identity) as agent:
        await agent.report(
            observed(
                placed.task_ids[0],
                RUNNING,
                event_pb2.ContainerObservation(name="main", last_status=task_pb2.CONTAINER_STATUS_RUNNING),
            )
        )
        with pytest.raises(errors.InvalidParameterException, match="Found running tasks on the instance"):
            await deregister(tracker, identity.instance_id)
        assert await world.counted() == await world.recounted() == (1, 1)
        gone = await deregister(tracker, identity.instance_id, force=True)
        assert (gone.status, gone.agent_connected) == (INACTIVE, False)
        assert (gone.running_tasks_count, gone.pending_tasks_count) == (0, 0)
        assert isinstance(await agent.ended(), errors.ResourceNotFoundException)
    assert await world.counted() == await world.recounted() == (0, 0)
    for task_id in placed.task_ids:
        seen = (await world.halves(task_id)).observation
        assert seen is not None
        assert (seen.released, seen.stop_code) == (True, task_pb2.TASK_STOP_CODE_USER_INITIATED)
        assert seen.stopped_reason == "Container instance deregistration forced by user"
    head = await world.row("SELECT registered_instances FROM log_head WHERE cluster = $1", "web")
    assert head["registered_instances"] == 0
    assert (await deregister(tracker, identity.instance_id)).status == INACTIVE
    with pytest.raises(errors.ResourceNotFoundException):
        async with session(address, identity):
            pass


async def test_tasks_that_are_released_do_not_hold_an_instance(
    tracker: Any, address: str, join: Join, world: World
) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id)
    async with session(address, identity) as agent:
        await agent.report(fake_agent.exited(placed.task_ids[0]))
    assert (await deregister(tracker, identity.instance_id)).status == INACTIVE


async def test_an_instance_drains_itself_by_its_credential_and_nothing_else(tracker: Any, world: World) -> None:
    """The right of an agent that leaves: DRAINING, for its own instance."""
    answers = [await tracker.RegisterContainerInstance(fake_agent.registration()) for _ in range(2)]
    mine, other = (answer.container_instance.container_instance_arn for answer in answers)
    credential = answers[0].instance_credential

    def request(*instances: str, status: Any = DRAINING, said: str = credential) -> Any:
        return pb.UpdateContainerInstancesStateRequest(
            cluster="web", container_instances=instances, status=status, instance_credential=said
        )

    with pytest.raises(errors.Unauthenticated):
        await tracker.UpdateContainerInstancesState(request(other))
    with pytest.raises(errors.Unauthenticated):
        await tracker.UpdateContainerInstancesState(request(mine, said=""))
    for refused in (request(mine, other), request(mine, status=ACTIVE)):
        with pytest.raises(errors.AccessDeniedException, match="and nothing else"):
            await tracker.UpdateContainerInstancesState(refused)
    assert [(await described(tracker, arn)).status for arn in (mine, other)] == [ACTIVE, ACTIVE]

    answer = await tracker.UpdateContainerInstancesState(request(mine))

    assert [(one.container_instance_arn, one.status) for one in answer.container_instances] == [(mine, DRAINING)]
    assert (await described(tracker, other)).status == ACTIVE
    event = (await world.events())[-1]
    assert event.principal == f"instance:{mine.rpartition('/')[2]}"
