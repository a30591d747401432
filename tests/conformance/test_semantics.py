"""What ECS's model cannot say: defaults, names and ARNs, lists and their pages, what is shown only when asked for, partial failures."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance import tour, world

ARN = f"arn:aws:ecs:{world.REGION}:{world.ACCOUNT}"
NOBODY = "a" * 32
PLAIN = {"name": "main", "image": world.IMAGE, "memory": 16}
TAGS = [{"key": "team", "value": "web"}]


@pytest.fixture(autouse=True, scope="module")
def definition(stack: world.World) -> str:
    stack.ecs.register_task_definition(family="semantics", containerDefinitions=[PLAIN], tags=TAGS)
    return "semantics"


@pytest.fixture
def task(stack: world.World) -> Iterator[str]:
    """ARN of a task that runs."""
    arn: str = stack.ecs.run_task(taskDefinition="semantics", tags=TAGS)["tasks"][0]["taskArn"]
    stack.running(arn)
    yield arn
    stack.ecs.stop_task(task=arn)


# ------------------------------------------------------------------------------------------- defaults

DEFAULTS: tuple[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], ...] = (
    (
        {},
        {"networkMode": "bridge", "status": "ACTIVE", "volumes": [], "placementConstraints": []},
        {
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "portMappings": [],
            "volumesFrom": [],
            "systemControls": [],
        },
    ),
    (
        {"portMappings": [{"containerPort": 80}]},
        {},
        {"portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]},
    ),
    (
        {"healthCheck": {"command": ["CMD", "true"]}},
        {},
        {"healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}},
    ),
    ({"command": []}, {}, {"command": []}),
)


@pytest.mark.parametrize(("given", "of_definition", "of_container"), DEFAULTS)
def test_a_definition_shows_what_was_left_out_as_ecs_fills_it_in(
    stack: world.World, given: Mapping[str, Any], of_definition: Mapping[str, Any], of_container: Mapping[str, Any]
) -> None:
    stack.ecs.register_task_definition(family="defaults", containerDefinitions=[{**PLAIN, **given}])
    shown = stack.ecs.describe_task_definition(taskDefinition="defaults")["taskDefinition"]
    assert {name: shown[name] for name in of_definition} == of_definition
    container = shown["containerDefinitions"][0]
    assert {name: container[name] for name in of_container} == of_container


@pytest.mark.parametrize(
    ("given", "shown"),
    [({"cpu": "1 vCPU"}, "1024"), ({"cpu": ".5 vcpu"}, "512"), ({"memory": "2GB"}, "2048"), ({"memory": "512"}, "512")],
)
def test_amounts_of_a_task_are_shown_in_units_and_mebibytes(
    stack: world.World, given: dict[str, str], shown: str
) -> None:
    answer = stack.ecs.register_task_definition(family="amounts", containerDefinitions=[PLAIN], **given)
    (name,) = given
    assert answer["taskDefinition"][name] == shown


def test_a_port_of_the_hosts_network_is_the_containers(stack: world.World) -> None:
    container = {**PLAIN, "portMappings": [{"containerPort": 80}]}
    stack.ecs.register_task_definition(family="on-host", networkMode="host", containerDefinitions=[container])
    shown = stack.ecs.describe_task_definition(taskDefinition="on-host")["taskDefinition"]["containerDefinitions"][0]
    assert shown["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]


def test_a_task_shows_what_nobody_asked_for_as_ecs_fills_it_in(stack: world.World, task: str) -> None:
    (shown,) = stack.ecs.describe_tasks(tasks=[task])["tasks"]
    wanted = {
        "group": "family:semantics",
        "launchType": "EC2",
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": False,
        "healthStatus": "UNKNOWN",
        "attachments": [],
        "tags": [],
        "overrides": {"containerOverrides": [{"name": "main"}], "inferenceAcceleratorOverrides": []},
    }
    assert {name: shown[name] for name in wanted} == wanted
    assert shown["containers"][0]["cpu"] == "0"


# ------------------------------------------------------------------------------------------- names and ARNs


def test_without_a_cluster_the_default_one_is_meant(stack: world.World, task: str) -> None:
    assert task in stack.ecs.list_tasks()["taskArns"]
    assert stack.ecs.describe_clusters()["clusters"][0]["clusterName"] == "default"
    assert stack.ecs.describe_tasks(tasks=[task])["tasks"][0]["clusterArn"] == f"{ARN}:cluster/default"


@pytest.mark.parametrize("cluster", ["default", f"{ARN}:cluster/default"])
def test_a_cluster_is_named_by_its_name_or_arn(stack: world.World, task: str, cluster: str) -> None:
    assert [found["taskArn"] for found in stack.ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]] == [task]


@pytest.mark.parametrize("form", ["{id}", f"{ARN}:task/default/{{id}}", f"{ARN}:task/{{id}}"])
def test_a_task_is_named_by_its_id_and_by_both_forms_of_its_arn(stack: world.World, task: str, form: str) -> None:
    named = form.format(id=task.rpartition("/")[2])
    assert [found["taskArn"] for found in stack.ecs.describe_tasks(tasks=[named])["tasks"]] == [task]


@pytest.mark.parametrize(
    "form", ["{id}", f"{ARN}:container-instance/default/{{id}}", f"{ARN}:container-instance/{{id}}"]
)
def test_an_instance_is_named_by_its_id_and_by_both_forms_of_its_arn(stack: world.World, form: str) -> None:
    arn = stack.instance()
    named = form.format(id=arn.rpartition("/")[2])
    found = stack.ecs.describe_container_instances(containerInstances=[named])["containerInstances"]
    assert [instance["containerInstanceArn"] for instance in found] == [arn]


@pytest.mark.parametrize("form", ["semantics", "semantics:1", f"{ARN}:task-definition/semantics:1"])
def test_a_definition_is_named_by_family_revision_or_arn(stack: world.World, form: str) -> None:
    found = stack.ecs.describe_task_definition(taskDefinition=form)["taskDefinition"]
    assert found["taskDefinitionArn"] == f"{ARN}:task-definition/semantics:1"


# ------------------------------------------------------------------------------------------- shown when asked for


def test_tags_of_a_task_are_shown_with_tags(stack: world.World, task: str) -> None:
    assert stack.ecs.describe_tasks(tasks=[task], include=["TAGS"])["tasks"][0]["tags"] == TAGS
    assert stack.ecs.describe_tasks(tasks=[task])["tasks"][0]["tags"] == []


def test_tags_of_a_definition_are_shown_with_tags(stack: world.World) -> None:
    assert stack.ecs.describe_task_definition(taskDefinition="semantics", include=["TAGS"])["tags"] == TAGS
    assert stack.ecs.describe_task_definition(taskDefinition="semantics")["tags"] == []


def test_health_and_tags_of_an_instance_are_shown_when_asked_for(stack: world.World) -> None:
    arn = stack.instance()
    include = ["TAGS", "CONTAINER_INSTANCE_HEALTH"]
    (asked,) = stack.ecs.describe_container_instances(containerInstances=[arn], include=include)["containerInstances"]
    assert (asked["tags"], asked["healthStatus"]["overallStatus"]) == (TAGS, "OK")
    (plain,) = stack.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    assert plain["tags"] == []
    assert "healthStatus" not in plain


@pytest.mark.parametrize("field", ["configuration", "settings", "statistics", "tags"])
def test_parts_of_a_cluster_are_shown_when_asked_for(stack: world.World, field: str) -> None:
    stack.ecs.create_cluster(clusterName="in-parts", tags=TAGS, configuration=tour.CONFIGURATION)
    word = "CONFIGURATIONS" if field == "configuration" else field.upper()
    (asked,) = stack.ecs.describe_clusters(clusters=["in-parts"], include=[word])["clusters"]
    (plain,) = stack.ecs.describe_clusters(clusters=["in-parts"])["clusters"]
    assert asked[field]
    assert not plain.get(field)


# ------------------------------------------------------------------------------------------- lists


def test_pages_hold_everything_once_and_in_order(stack: world.World) -> None:
    for _ in range(5):
        stack.ecs.register_task_definition(family="paged", containerDefinitions=[PLAIN])
    pages = stack.ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix="paged", PaginationConfig={"PageSize": 2}
    )
    found = [page["taskDefinitionArns"] for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [arn.rpartition(":")[2] for page in found for arn in page] == ["1", "2", "3", "4", "5"]
    backwards = stack.ecs.list_task_definitions(familyPrefix="paged", sort="DESC")["taskDefinitionArns"]
    assert [arn.rpartition(":")[2] for arn in backwards] == ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("list_clusters", {}),
        ("list_task_definitions", {}),
        ("list_task_definition_families", {}),
        ("list_container_instances", {"cluster": "default"}),
        ("list_attributes", {"targetType": "container-instance"}),
        ("list_account_settings", {"effectiveSettings": True}),
    ],
)
def test_every_list_goes_on_from_its_token(stack: world.World, operation: str, arguments: Mapping[str, Any]) -> None:
    call = getattr(stack.ecs, operation)
    first = call(maxResults=1, **arguments)
    (member,) = first.keys() - {"nextToken", "ResponseMetadata"}
    second = call(maxResults=1, nextToken=first["nextToken"], **arguments)
    assert (len(first[member]), len(second[member])) == (1, 1)
    assert first[member] != second[member]


def test_a_page_that_ends_the_list_has_no_token(stack: world.World) -> None:
    assert "nextToken" not in stack.ecs.list_container_instances(cluster="default", maxResults=2)


def test_a_family_prefix_is_a_whole_name_of_definitions_and_a_beginning_of_families(stack: world.World) -> None:
    assert stack.ecs.list_task_definitions(familyPrefix="semant")["taskDefinitionArns"] == []
    assert stack.ecs.list_task_definition_families(familyPrefix="semant")["families"] == ["semantics"]


def test_tasks_are_listed_by_desired_status_family_instance_and_starter(stack: world.World) -> None:
    run = stack.ecs.run_task(taskDefinition="semantics", startedBy="lister")["tasks"][0]
    arn = run["taskArn"]

    def listed(**filters: Any) -> bool:
        return arn in stack.ecs.list_tasks(**filters)["taskArns"]

    assert listed(startedBy="lister")
    assert listed(family="semantics", containerInstance=run["containerInstanceArn"], launchType="EC2")
    assert not listed(desiredStatus="STOPPED")
    stack.ecs.stop_task(task=arn)
    assert listed(desiredStatus="STOPPED", startedBy="lister")
    assert not listed(startedBy="lister")
    assert stack.ecs.list_tasks(desiredStatus="PENDING")["taskArns"] == []


# ------------------------------------------------------------------------------------------- partial failures and limits


def test_what_is_not_there_is_a_failure_beside_what_is(stack: world.World, task: str) -> None:
    answer = stack.ecs.describe_tasks(tasks=[NOBODY, task])
    assert [found["taskArn"] for found in answer["tasks"]] == [task]
    assert answer["failures"] == [{"arn": f"{ARN}:task/default/{NOBODY}", "reason": "MISSING"}]
    instances = stack.ecs.describe_container_instances(containerInstances=[stack.instance(), NOBODY])
    assert [failure["reason"] for failure in instances["failures"]] == ["MISSING"]
    clusters = stack.ecs.describe_clusters(clusters=["nope", "default"])
    assert (len(clusters["clusters"]), clusters["failures"]) == (
        1,
        [{"arn": f"{ARN}:cluster/nope", "reason": "MISSING"}],
    )


def test_a_task_that_fits_nowhere_is_a_failure_for_each_instance_with_its_numbers(stack: world.World) -> None:
    stack.ecs.register_task_definition(family="large", containerDefinitions=[PLAIN | {"memory": 10**6}])
    answer = stack.ecs.run_task(taskDefinition="large")
    assert answer["tasks"] == []
    assert len(answer["failures"]) == 2
    assert {failure["reason"] for failure in answer["failures"]} == {"RESOURCE:MEMORY"}
    assert all("needs 1000000 MiB memory" in failure["detail"] for failure in answer["failures"])


def test_what_was_asked_for_together_is_placed_as_far_as_it_goes(stack: world.World) -> None:
    container = PLAIN | {"portMappings": [{"containerPort": 80, "hostPort": 18081}]}
    stack.ecs.register_task_definition(family="one-port", containerDefinitions=[container])
    answer = stack.ecs.run_task(taskDefinition="one-port", count=3)
    assert len(answer["tasks"]) == 2
    assert {failure["reason"] for failure in answer["failures"]} == {"RESOURCE:PORTS"}
    for found in answer["tasks"]:
        stack.ecs.stop_task(task=found["taskArn"])


@pytest.mark.parametrize(
    ("operation", "member", "limit"),
    [
        ("describe_tasks", "tasks", 100),
        ("describe_container_instances", "containerInstances", 100),
        ("describe_clusters", "clusters", 100),
        ("delete_task_definitions", "taskDefinitions", 10),
    ],
)
def test_a_call_takes_as_many_as_ecs_takes(stack: world.World, operation: str, member: str, limit: int) -> None:
    named = [f"nope:{number}" if limit == 10 else f"{number:032x}" for number in range(1, limit + 2)]
    call = getattr(stack.ecs, operation)
    assert len(call(**{member: named[:limit]})["failures"]) == limit
    with pytest.raises(stack.ecs.exceptions.InvalidParameterException):
        call(**{member: named})


# ------------------------------------------------------------------------------------------- a task's life


def test_a_task_that_ends_by_itself_tells_how(stack: world.World) -> None:
    command = {"containerOverrides": [{"name": "main", "command": ["exit", "3"]}]}
    arn = stack.ecs.run_task(taskDefinition="semantics", overrides=command)["tasks"][0]["taskArn"]
    shown = stack.ended(arn)
    assert (shown["stopCode"], shown["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (shown["desiredStatus"], shown["containers"][0]["exitCode"]) == ("STOPPED", 3)
    assert shown["createdAt"] <= shown["startedAt"] <= shown["stoppedAt"]
    assert shown["createdAt"] <= shown["executionStoppedAt"] <= shown["stoppedAt"]


def test_a_task_that_was_stopped_tells_by_whom_and_why(stack: world.World, task: str) -> None:
    asked = stack.ecs.stop_task(task=task, reason="enough")["task"]
    assert (asked["desiredStatus"], asked["stopCode"], asked["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
    assert stack.ended(task)["containers"][0]["exitCode"] == 143


def test_the_waiters_of_boto3_find_what_they_wait_for(stack: world.World) -> None:
    arn = stack.ecs.run_task(taskDefinition="semantics")["tasks"][0]["taskArn"]
    bounds = {"Delay": 1, "MaxAttempts": 20}
    stack.running(arn)
    stack.ecs.get_waiter("tasks_running").wait(tasks=[arn], WaiterConfig=bounds)
    stack.ecs.stop_task(task=arn)
    stack.ended(arn)
    stack.ecs.get_waiter("tasks_stopped").wait(tasks=[arn], WaiterConfig=bounds)
