from typing import Any

import pytest

from longshore.agent import task_plan, task_state
from longshore.v1 import common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

D = definition_pb2


def definition(*containers: D.ContainerDefinition, **members: Any) -> D.TaskDefinition:
    return D.TaskDefinition(container_definitions=containers, **members)


def app(name: str = "app", **members: Any) -> D.ContainerDefinition:
    return D.ContainerDefinition(name=name, image="busybox", **members)


def test_containers_are_essential_unless_they_say_otherwise() -> None:
    plans = task_plan.plan(definition(app("a"), app("b", essential=False, stop_timeout=5)), stop_timeout_s=20)
    assert [(plan.essential, plan.stop_timeout_s) for plan in plans] == [(True, 20), (False, 5)]


def test_links_and_volumes_from_make_an_order() -> None:
    web = app("web", links=["db:database"])
    web.volumes_from.add(source_container="data")
    plan = task_plan.plan(definition(web, app("db"), app("data")))[0]
    start = task_state.Condition.START
    assert plan.waits_for == (task_state.Dependency("db", start), task_state.Dependency("data", start))


@pytest.mark.parametrize("condition", list(task_state.Condition))
def test_what_a_container_depends_on_makes_an_order(condition: task_state.Condition) -> None:
    db = D.ContainerDependency(
        container_name="db", condition=D.ContainerCondition.Value(f"CONTAINER_CONDITION_{condition}")
    )
    web, waited_for = task_plan.plan(definition(app("web", depends_on=[db]), app("db", start_timeout=0)))
    assert web.waits_for == (task_state.Dependency("db", condition),)
    assert (web.start_timeout_s, waited_for.start_timeout_s) == (None, 0)


def test_a_health_check_and_a_restart_policy_are_part_of_the_plan() -> None:
    check = D.HealthCheck(command=["CMD", "true"])
    policy = D.ContainerRestartPolicy(enabled=True, ignored_exit_codes=[0, 3], restart_attempt_period=60)
    plan = task_plan.plan(definition(app(health_check=check, restart_policy=policy)))[0]
    assert plan.checks_health
    assert plan.restart_policy == task_state.RestartPolicy(60, frozenset({0, 3}))


def test_a_restart_policy_waits_for_ecss_five_minutes_and_does_nothing_where_it_is_off() -> None:
    on, off = D.ContainerRestartPolicy(enabled=True), D.ContainerRestartPolicy(enabled=False, ignored_exit_codes=[1])
    plans = task_plan.plan(definition(app("on", restart_policy=on), app("off", restart_policy=off)))
    assert [plan.restart_policy for plan in plans] == [task_state.RestartPolicy(300), None]


def test_a_circle_is_refused_by_ecss_name_and_in_words() -> None:
    with pytest.raises(task_plan.UnsupportedDefinition, match=r"TaskDependencyError: .* a -> b -> a"):
        task_plan.plan(definition(app("a", links=["b"]), app("b", links=["a"])))


def test_a_dependency_on_a_stranger_is_refused() -> None:
    with pytest.raises(task_plan.UnsupportedDefinition, match="container a: waits for x, which the task does not have"):
        task_plan.plan(definition(app("a", links=["x"])))


@pytest.mark.parametrize(
    ("container", "member"),
    [
        (app(secrets=[D.Secret(name="a", value_from="b")]), "secrets"),
        (app(environment_files=[D.EnvironmentFile(value="x")]), "environmentFiles"),
        (app(repository_credentials=D.RepositoryCredentials(credentials_parameter="x")), "repositoryCredentials"),
        (
            app(resource_requirements=[D.ResourceRequirement(value="1", type=common_pb2.RESOURCE_TYPE_NEURON_DEVICE)]),
            "resourceRequirements",
        ),
    ],
)
def test_what_is_not_built_is_refused_by_name(container: D.ContainerDefinition, member: str) -> None:
    with pytest.raises(task_plan.UnsupportedDefinition, match=rf"container app: .*{member} is not offered"):
        task_plan.plan(definition(container))


def test_a_host_may_refuse_privileged_containers() -> None:
    task_plan.plan(definition(app(privileged=True)))
    with pytest.raises(task_plan.UnsupportedDefinition, match="container app: privileged containers are disabled"):
        task_plan.plan(definition(app(privileged=True)), privileged=False)


def test_every_fault_is_named_at_once() -> None:
    volume = D.Volume(name="v", efs_volume_configuration=D.EFSVolumeConfiguration(file_system_id="fs-1"))
    with pytest.raises(task_plan.UnsupportedDefinition) as caught:
        task_plan.plan(definition(app(secrets=[D.Secret(name="s")]), cpu="256", volumes=[volume]), limits_tasks=False)
    assert str(caught.value).split("; ") == [
        "cpu and memory of a whole task cannot be limited on this host",
        "volume v: efsVolumeConfiguration is not offered by this agent",
        "container app: secrets is not offered by this agent",
    ]
