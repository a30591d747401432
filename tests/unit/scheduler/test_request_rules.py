from typing import Any, cast

import pytest

from longshore.rpc import arns, errors
from longshore.scheduler import asked, definition_rules, strategies
from longshore.v1 import common_pb2, scheduler_service_pb2, task_definition_pb2, task_pb2

PLACE = arns.Place("123456789012", "us-east-1")
INSTANCE = "0" * 32
INVALID = errors.InvalidParameterException
UNSUPPORTED = errors.UnsupportedFeatureException


def network(*, subnets: int = 0, security_groups: int = 0) -> common_pb2.NetworkConfiguration:
    given = common_pb2.AwsVpcConfiguration(
        subnets=[f"subnet-{n}" for n in range(subnets)], security_groups=[f"sg-{n}" for n in range(security_groups)]
    )
    return common_pb2.NetworkConfiguration(awsvpc_configuration=given)


def run_task(**fields: Any) -> asked.Asked:
    given = {"task_definition": "app"} | fields
    return asked.of_run_task(scheduler_service_pb2.RunTaskRequest(**given), place=PLACE)


def start_task(**fields: Any) -> asked.Asked:
    given = {"task_definition": "app", "container_instances": [INSTANCE]} | fields
    return asked.of_start_task(scheduler_service_pb2.StartTaskRequest(**given), place=PLACE)


def container_override(**fields: Any) -> task_pb2.TaskOverride:
    return task_pb2.TaskOverride(container_overrides=[task_pb2.ContainerOverride(**fields)])


def wait(**fields: int) -> scheduler_service_pb2.WaitForCapacity:
    return scheduler_service_pb2.WaitForCapacity(**fields)


def strategy(kind: str, field: str = "") -> task_pb2.PlacementStrategy:
    number = task_pb2.PlacementStrategyType.Value(f"PLACEMENT_STRATEGY_TYPE_{kind.upper()}")
    return task_pb2.PlacementStrategy(type=number, field=field)


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"task_definition": ""}, errors.ClientException, "TaskDefinition can not be blank"),
        ({"count": 0}, INVALID, "count is 0; it must be between 1 and 10"),
        ({"count": 11}, INVALID, "count is 11"),
        ({"wait_for_capacity": wait(timeout_seconds=0)}, INVALID, "waitForCapacity.timeoutSeconds is 0"),
        ({"wait_for_capacity": wait(timeout_seconds=604_801)}, INVALID, "waitForCapacity.timeoutSeconds is 604801"),
        ({"wait_for_capacity": wait(priority=101)}, INVALID, "waitForCapacity.priority is 101"),
        ({"wait_for_capacity": wait(priority=-1)}, INVALID, "waitForCapacity.priority is -1"),
        ({"client_token": "x" * 65}, INVALID, "clientToken"),
        ({"client_token": "a b"}, INVALID, "clientToken"),
        ({"group": "g" * 256}, INVALID, "group has 256 characters"),
        ({"group": "service:x"}, INVALID, "Groups beginning with service:"),
        ({"started_by": "x" * 129}, INVALID, "startedBy takes at most 128"),
        ({"started_by": "a b"}, INVALID, "startedBy"),
        ({"reference_id": "x" * 1025}, INVALID, "referenceId"),
        ({"tags": [common_pb2.Tag(key="aws:x")]}, INVALID, "reserved"),
        ({"tags": [common_pb2.Tag(key="")]}, INVALID, "1 to 128 characters"),
        ({"tags": [common_pb2.Tag(key="a", value="v" * 257)]}, INVALID, "257 characters"),
        ({"tags": [common_pb2.Tag(key="a"), common_pb2.Tag(key="a")]}, INVALID, "given twice"),
        ({"tags": [common_pb2.Tag(key=str(n)) for n in range(51)]}, INVALID, "at most 50 tags, 51"),
        ({"propagate_tags": common_pb2.PROPAGATE_TAGS_SERVICE}, INVALID, "propagateTags SERVICE"),
        (
            {
                "launch_type": common_pb2.LAUNCH_TYPE_EC2,
                "capacity_provider_strategy": [common_pb2.CapacityProviderStrategyItem()],
            },
            INVALID,
            "Specify either Launch Type or Capacity Provider Strategy, but not both.",
        ),
        (
            {"capacity_provider_strategy": [common_pb2.CapacityProviderStrategyItem()]},
            INVALID,
            "An item of capacityProviderStrategy must name its capacityProvider.",
        ),
        ({"launch_type": common_pb2.LAUNCH_TYPE_MANAGED_INSTANCES}, UNSUPPORTED, "launchType MANAGED_INSTANCES"),
        ({"network_configuration": network(subnets=17)}, INVALID, "subnets can have at most 16 items, 17 are given"),
        ({"network_configuration": network(security_groups=6)}, INVALID, "securityGroups can have at most 5 items, 6"),
        (
            {
                "placement_constraints": [
                    task_pb2.PlacementConstraint(
                        type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_MEMBER_OF, expression="attribute:a = b"
                    )
                ]
            },
            INVALID,
            "column 13",
        ),
        ({"placement_constraints": [task_pb2.PlacementConstraint()]}, INVALID, "must have a type"),
        (
            {
                "placement_constraints": [
                    task_pb2.PlacementConstraint(
                        type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE, expression="x"
                    )
                ]
            },
            INVALID,
            "takes no expression",
        ),
        ({"placement_strategy": [strategy("binpack", "disk")]}, INVALID, "cpu or memory, not 'disk'"),
        ({"placement_strategy": [strategy("spread", "attribute:")]}, INVALID, "instanceId or attribute"),
        ({"placement_strategy": [strategy("random", "cpu")]}, INVALID, "random takes no field"),
        ({"placement_strategy": [task_pb2.PlacementStrategy()]}, INVALID, "must have a type"),
        (
            {"placement_strategy": [task_pb2.PlacementStrategy(type=cast(Any, 99))]},
            INVALID,
            "no type of placement strategy 99",
        ),
        (
            {"placement_constraints": [task_pb2.PlacementConstraint(type=cast(Any, -1))]},
            INVALID,
            "no type of placement constraint -1",
        ),
        ({"launch_type": 99}, UNSUPPORTED, "launchType 99 is not supported"),
        ({"placement_strategy": [strategy("random")] * 6}, INVALID, "6 placement strategies"),
        ({"volume_configurations": [task_pb2.TaskVolumeConfiguration(name="v")]}, UNSUPPORTED, "volumeConfigurations"),
        ({"overrides": task_pb2.TaskOverride(cpu="fast")}, INVALID, "override of cpu is 'fast'"),
        ({"overrides": task_pb2.TaskOverride(memory="much")}, INVALID, "override of memory is 'much'"),
        (
            {
                "overrides": task_pb2.TaskOverride(
                    ephemeral_storage=task_definition_pb2.EphemeralStorage(size_in_gi_b=20)
                )
            },
            INVALID,
            "sizeInGiB is 20; it must be between 21 and 200 GiB",
        ),
        ({"overrides": container_override()}, INVALID, "must name its container"),
        ({"overrides": container_override(name="a", cpu=-1)}, INVALID, "cpu is -1"),
        ({"overrides": container_override(name="a", memory=0)}, INVALID, "memory is 0 MiB"),
        ({"overrides": container_override(name="a", memory_reservation=-5)}, INVALID, "memoryReservation is -5 MiB"),
        (
            {
                "overrides": container_override(
                    name="a", environment=[common_pb2.KeyValuePair(name="N", value="v" * 9000)]
                )
            },
            INVALID,
            "characters of JSON, 8192 are allowed",
        ),
    ],
)
def test_a_run_task_that_makes_no_sense_is_refused_with_the_reason(
    fields: dict[str, Any], kind: type[errors.ServiceError], says: str
) -> None:
    with pytest.raises(kind) as refused:
        run_task(**fields)
    assert says in refused.value.message


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(INVALID) as refused:
        run_task(count=0, client_token="a b", started_by="!")
    assert all(word in refused.value.message for word in ("count", "clientToken", "startedBy"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"container_instances": []}, "can not be empty"),
        ({"container_instances": [f"{n:032x}" for n in range(11)]}, "11 container instances"),
        ({"container_instances": [INSTANCE, PLACE.container_instance("default", INSTANCE)]}, "twice"),
        ({"container_instances": [PLACE.container_instance("other", INSTANCE)]}, "Identifier is for other"),
        ({"started_by": "x" * 37}, "startedBy takes at most 36"),
    ],
)
def test_a_start_task_that_makes_no_sense_is_refused_with_the_reason(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(INVALID) as refused:
        start_task(**fields)
    assert says in refused.value.message


def test_defaults_are_filled_in() -> None:
    wanted = run_task(task_definition="app:3")
    assert (wanted.cluster, wanted.family, wanted.revision, wanted.count) == ("default", "app", 3, 1)
    assert (wanted.group, wanted.launch_type) == ("family:app", common_pb2.LAUNCH_TYPE_EC2)
    assert start_task().targets == (INSTANCE,)


def test_references_are_taken_as_names_and_as_arns() -> None:
    wanted = run_task(task_definition=PLACE.task_definition("app", 7), cluster=PLACE.cluster("web"))
    assert (wanted.cluster, wanted.family, wanted.revision) == ("web", "app", 7)


def test_constraints_and_strategies_are_carried_in_their_order() -> None:
    distinct = task_pb2.PlacementConstraint(type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE)
    wanted = run_task(
        placement_constraints=[distinct],
        placement_strategy=[strategy("spread", "attribute:zone"), strategy("binpack", "memory")],
    )
    assert wanted.distinct
    assert wanted.strategy == (
        strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone"),
        strategies.Strategy(strategies.Kind.BINPACK, "memory"),
    )


def definition(**fields: Any) -> task_definition_pb2.TaskDefinition:
    containers = [task_definition_pb2.ContainerDefinition(name="a", memory=10)]
    return task_definition_pb2.TaskDefinition(family="app", revision=1, container_definitions=containers, **fields)


@pytest.mark.parametrize(
    ("made", "wanted", "kind", "says"),
    [
        (
            definition(compatibilities=[common_pb2.COMPATIBILITY_FARGATE]),
            run_task(),
            INVALID,
            "Task definition does not support launch_type EC2.",
        ),
        (
            definition(compatibilities=[common_pb2.COMPATIBILITY_EC2]),
            run_task(launch_type=common_pb2.LAUNCH_TYPE_FARGATE),
            INVALID,
            "Task definition does not support launch_type FARGATE.",
        ),
        (
            definition(network_mode=task_definition_pb2.NETWORK_MODE_AWSVPC),
            run_task(),
            INVALID,
            "Network Configuration must be provided",
        ),
        (
            definition(network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE),
            run_task(network_configuration=common_pb2.NetworkConfiguration()),
            INVALID,
            "Network Configuration is not valid",
        ),
        (
            definition(placement_constraints=[task_definition_pb2.TaskDefinitionPlacementConstraint(expression="x")]),
            run_task(),
            INVALID,
            "app:1 cannot be run. Invalid expression",
        ),
        (definition(), run_task(overrides=container_override(name="b")), INVALID, "container named b"),
    ],
)
def test_what_the_definition_cannot_bear_is_refused(
    made: task_definition_pb2.TaskDefinition, wanted: asked.Asked, kind: type[errors.ServiceError], says: str
) -> None:
    with pytest.raises(kind) as refused:
        definition_rules.check(wanted, made)
    assert says in refused.value.message
