from longshore.cli import narration, watching
from longshore.client import following
from longshore.v1 import common_pb2, container_instance_pb2, event_pb2, task_definition_pb2, task_pb2

TASK = "a" * 32
HOST = "b" * 32
PENDING = task_pb2.TASK_STATUS_PENDING
PLACED = task_pb2.Task(
    task_arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{TASK}",
    container_instance_arn=f"arn:aws:ecs:us-east-1:123456789012:container-instance/default/{HOST}",
)


def changed(task: following.Followed) -> list[str]:
    return list(narration.changed(task, PENDING, 0.4567, host="127.0.0.1"))


def test_a_placement_says_where_and_what_is_left_there() -> None:
    instance = container_instance_pb2.ContainerInstance(
        container_instance_arn=PLACED.container_instance_arn,
        attributes=[common_pb2.Attribute(name="longshore.hostname", value="box")],
        remaining_resources=[
            common_pb2.Resource(name="PORTS", string_set_value=["22"]),
            common_pb2.Resource(name="MEMORY", integer_value=900),
            common_pb2.Resource(name="CPU", integer_value=1920),
        ],
    )
    assert narration.placed(PLACED, instance) == (
        f"Placed     {TASK} on box ({HOST}): it fits, 1920 CPU units and 900 MiB are left there"
    )


def test_a_placement_on_an_instance_of_which_nothing_is_known_says_where() -> None:
    assert narration.placed(PLACED, None) == f"Placed     {TASK} on {HOST}"


def test_a_change_that_leaves_the_status_says_nothing() -> None:
    assert changed(following.Followed(TASK, last_status=PENDING)) == []


def test_waiting_says_for_what_and_its_end_needs_no_line_beside_the_placement() -> None:
    place = task_pb2.TaskWaiting(position=3, queue_length=7, reason="needs 512 MiB memory, 384 of 2000 free, on b")
    task = following.Followed(TASK, last_status=task_pb2.TASK_STATUS_PROVISIONING, waiting=place)
    assert task.waits
    assert changed(task) == [
        f"Waiting    {TASK} for capacity, position 3 of 7: needs 512 MiB memory, 384 of 2000 free, on b"
    ]
    placed = following.Followed(TASK, last_status=PENDING, container_instance=HOST)
    assert not placed.waits
    assert list(narration.changed(placed, task_pb2.TASK_STATUS_PROVISIONING, 0.4, host="127.0.0.1")) == []


def test_running_says_how_soon_and_the_url_of_each_port() -> None:
    binding = task_pb2.NetworkBinding(
        container_port=80, host_port=1, bind_ip="0.0.0.0", protocol=task_definition_pb2.TRANSPORT_PROTOCOL_TCP
    )
    containers = {"web": event_pb2.ContainerObservation(name="web", network_bindings=[binding])}
    task = following.Followed(TASK, last_status=task_pb2.TASK_STATUS_RUNNING, containers=containers)
    assert changed(task) == [f"Running    {TASK} after 0.46 s", "           web: http://127.0.0.1:1"]


def test_a_zero_is_an_exit_code_and_what_never_ran_has_none() -> None:
    containers = {
        "side": event_pb2.ContainerObservation(name="side", reason="CannotStartContainerError: no"),
        "main": event_pb2.ContainerObservation(name="main", exit_code=0),
        "quiet": event_pb2.ContainerObservation(name="quiet"),
    }
    task = following.Followed(
        TASK, last_status=task_pb2.TASK_STATUS_STOPPED, stopped_reason="It is over", containers=containers
    )
    assert changed(task) == [
        f"Stopped    {TASK} after 0.46 s: It is over",
        "           main: exit code 0",
        "           side: CannotStartContainerError: no",
    ]


def test_an_exit_code_stands_beside_its_reason() -> None:
    container = event_pb2.ContainerObservation(name="main", exit_code=137, reason="OutOfMemoryError: killed")
    assert narration.end(container) == "exit code 137, OutOfMemoryError: killed"


def test_any_other_status_is_told_by_its_name() -> None:
    assert changed(following.Followed(TASK, last_status=task_pb2.TASK_STATUS_STOPPING)) == [
        f"Stopping   {TASK} after 0.46 s"
    ]


def test_a_refusal_names_reason_instance_and_numbers() -> None:
    failures = [
        common_pb2.Failure(arn=PLACED.container_instance_arn, reason="RESOURCE:CPU", detail="needs 2, 1 of 2 free"),
        common_pb2.Failure(reason="AGENT"),
    ]
    assert list(narration.refused(failures)) == [
        f"Refused    RESOURCE:CPU on {HOST}: needs 2, 1 of 2 free",
        "Refused    AGENT",
    ]


def test_who_stops_listening_is_told_what_goes_on_and_how_to_end_it() -> None:
    assert list(narration.goes_on([TASK], "default")) == [f"Goes on    {TASK}; stop it with: longshore stop {TASK}"]
    (line,) = narration.goes_on([TASK], "web")
    assert line.endswith(f"longshore stop {TASK} --cluster web")


def test_events_are_sentences() -> None:
    container = event_pb2.ContainerObservation(name="main", exit_code=7)
    task = event_pb2.TaskEvent(
        task_id=TASK,
        family="web",
        revision=3,
        last_status=task_pb2.TASK_STATUS_STOPPED,
        stopped_reason="It is over",
        containers=[container],
        released=True,
    )
    assert watching.sentence(event_pb2.Event(task=task)) == (
        f"task {TASK}  web:3  STOPPED: It is over; main exit code 7; released"
    )
    instance = event_pb2.ContainerInstanceEvent(
        container_instance_id=HOST,
        status=container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING,
        agent_connected=True,
    )
    assert watching.sentence(event_pb2.Event(container_instance=instance)) == (
        f"instance {HOST}  DRAINING, agent connected"
    )
