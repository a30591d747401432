from longshore.rpc import arns
from longshore.storage import tasks
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    container_instance_pb2,
    event_pb2,
    record_pb2,
    task_definition_pb2,
    task_pb2,
)
from longshore.views import task
from tests.unit.views.rows import TASK_ID, intent, observation

PLACE = arns.Place(account="123456789012", region="eu-west-1")
HEALTH = task_definition_pb2.HealthCheck(command=["CMD", "true"])


def definition(**main: object) -> task_definition_pb2.TaskDefinition:
    return task_definition_pb2.TaskDefinition(
        family="app",
        revision=3,
        container_definitions=[
            task_definition_pb2.ContainerDefinition(name="main", image="web", memory=64, **main),  # type: ignore[arg-type]  # fields of the test
            task_definition_pb2.ContainerDefinition(name="side", image="log", essential=False, health_check=HEALTH),
        ],
    )


def shown(
    half: tasks.Observation | None = None,
    *,
    made: task_definition_pb2.TaskDefinition | None = None,
    record: record_pb2.TaskIntentRecord | None = None,
    host: task.Host | None = None,
    tags: bool = False,
) -> task_pb2.Task:
    body = record.SerializeToString() if record is not None else b""
    return task.render(tasks.Halves(intent(body=body), half), definition=made, host=host, place=PLACE, tags=tags)


def seen(*containers: event_pb2.ContainerObservation, status: int = task_pb2.TASK_STATUS_RUNNING) -> tasks.Observation:
    body = agent_service_pb2.TaskObservation(containers=containers)
    return observation(last_status=status, body=body.SerializeToString())


def test_names_are_arns_of_the_callers_place() -> None:
    made = shown(made=definition())
    assert made.task_arn == f"arn:aws:ecs:eu-west-1:123456789012:task/web/{TASK_ID}"
    assert made.cluster_arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/web"
    assert made.containers[0].container_arn.startswith(f"arn:aws:ecs:eu-west-1:123456789012:container/web/{TASK_ID}/")
    assert made.containers[0].container_arn != made.containers[1].container_arn
    assert made == shown(made=definition())  # ids of containers are no dice


def test_containers_that_were_not_reported_yet_are_pending_and_of_a_stopped_task_stopped() -> None:
    running = event_pb2.ContainerObservation(name="main", last_status=task_pb2.CONTAINER_STATUS_RUNNING)
    assert [c.last_status for c in shown(seen(running), made=definition()).containers] == [
        task_pb2.CONTAINER_STATUS_RUNNING,
        task_pb2.CONTAINER_STATUS_PENDING,
    ]
    ended = shown(seen(running, status=task_pb2.TASK_STATUS_STOPPED), made=definition())
    assert {c.last_status for c in ended.containers} == {task_pb2.CONTAINER_STATUS_STOPPED}


def test_without_its_definition_a_task_shows_what_was_observed() -> None:
    observed = event_pb2.ContainerObservation(name="main", exit_code=2, reason="OutOfMemoryError: Container killed")
    (container,) = shown(seen(observed, status=task_pb2.TASK_STATUS_STOPPED)).containers
    assert (container.name, container.exit_code, container.reason) == ("main", 2, observed.reason)


def test_health_is_that_of_essential_containers_with_a_check() -> None:
    def health(*states: "common_pb2.HealthStatus.ValueType", **main: object) -> int:
        half = seen(
            *(
                event_pb2.ContainerObservation(name=name, health_status=state)
                for name, state in zip(("main", "side"), states, strict=False)
            )
        )
        return shown(half, made=definition(**main)).health_status

    healthy, unhealthy = common_pb2.HEALTH_STATUS_HEALTHY, common_pb2.HEALTH_STATUS_UNHEALTHY
    assert health(healthy, unhealthy, health_check=HEALTH) == healthy
    assert health(unhealthy, healthy, health_check=HEALTH) == unhealthy
    assert health(health_check=HEALTH) == common_pb2.HEALTH_STATUS_UNKNOWN
    assert health(unhealthy) == common_pb2.HEALTH_STATUS_UNKNOWN  # none declared


def test_tags_are_shown_where_they_are_asked_for() -> None:
    record = record_pb2.TaskIntentRecord(tags=[common_pb2.Tag(key="k", value="v")])
    assert not shown(record=record).tags
    assert [tag.key for tag in shown(record=record, tags=True).tags] == ["k"]


def test_connectivity_lasts_from_the_later_of_placement_and_connection() -> None:
    body = container_instance_pb2.ContainerInstance(
        attributes=[common_pb2.Attribute(name="ecs.availability-zone", value="z1")]
    )
    early = shown(host=task.host(body, connected=True, connected_at=500_000))
    late = shown(host=task.host(body, connected=False, connected_at=3_000_000))
    assert (early.connectivity, early.connectivity_at.seconds) == (task_pb2.CONNECTIVITY_CONNECTED, 1)
    assert (late.connectivity, late.connectivity_at.seconds) == (task_pb2.CONNECTIVITY_DISCONNECTED, 3)
    assert early.availability_zone == "z1"


def test_restarts_are_shown_where_there_were_any() -> None:
    again = event_pb2.ContainerObservation(name="main", restart_count=2, restart_reason="it had exited with code 1")
    main, side = shown(seen(again), made=definition()).containers
    assert (main.restart_count, main.restart_reason) == (2, "it had exited with code 1")
    assert not side.HasField("restart_count")
