"""Which capacity provider each task of a RunTask is placed through."""

import pytest

from longshore.rpc import errors
from longshore.scheduler import capacity
from longshore.v1 import cluster_pb2, common_pb2

EC2 = common_pb2.LAUNCH_TYPE_EC2
NO_LAUNCH_TYPE = common_pb2.LAUNCH_TYPE_UNSPECIFIED


def item(provider: str, weight: int = 0, base: int = 0) -> common_pb2.CapacityProviderStrategyItem:
    return common_pb2.CapacityProviderStrategyItem(capacity_provider=provider, weight=weight, base=base)


CLUSTER = cluster_pb2.Cluster(
    capacity_providers=["FARGATE", "FARGATE_SPOT"],
    default_capacity_provider_strategy=[item("FARGATE", 1, 1), item("FARGATE_SPOT", 3)],
)
F, S = "FARGATE", "FARGATE_SPOT"


@pytest.mark.parametrize(
    ("strategy", "count", "expected"),
    [
        ([item(F)], 2, (F, F)),
        ([item(F, 1)], 1, (F,)),
        ([item(F, 1), item(S, 1)], 4, (F, S, F, S)),
        ([item(F, 1), item(S, 3)], 4, (S, S, F, S)),
        ([item(F, 1, 2), item(S, 3)], 6, (F, F, S, S, F, S)),
        ([item(F, 0, 1), item(S, 1)], 3, (F, S, S)),
        ([item(F, 1, 9), item(S, 1)], 3, (F, F, F)),
        ([item(F, 0, 1)], 3, (F, F, F)),
    ],
)
def test_the_base_comes_first_and_the_rest_goes_by_weight(
    strategy: list[common_pb2.CapacityProviderStrategyItem], count: int, expected: tuple[str, ...]
) -> None:
    assert capacity.providers(capacity.of_request(strategy, NO_LAUNCH_TYPE), CLUSTER, count) == expected


def test_the_clusters_default_counts_where_neither_strategy_nor_launch_type_is_given() -> None:
    assert capacity.providers(capacity.of_request([], NO_LAUNCH_TYPE), CLUSTER, 3) == (F, S, S)
    assert capacity.providers(capacity.of_request([], EC2), CLUSTER, 3) == ()
    assert capacity.providers(capacity.of_request([item(S, 1)], NO_LAUNCH_TYPE), CLUSTER, 2) == (S, S)
    assert capacity.providers(capacity.of_request([], NO_LAUNCH_TYPE), cluster_pb2.Cluster(), 3) == ()
    assert capacity.providers(capacity.NONE, CLUSTER, 3) == ()


def test_a_provider_that_is_not_the_clusters_is_refused() -> None:
    wish = capacity.of_request([item(F, 1)], NO_LAUNCH_TYPE)
    with pytest.raises(errors.InvalidParameterException, match="not associated with the cluster"):
        capacity.providers(wish, cluster_pb2.Cluster(), 1)


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [
        ([item(f"p{number}", 1) for number in range(21)], "has 21 items, 20 are allowed"),
        ([item("", 1)], "must name its capacityProvider"),
        ([item(F, 1), item(F, 1)], "names a capacity provider twice"),
        ([item(F, 1001)], "weight of capacity provider FARGATE is 1001"),
        ([item(F, -1)], "weight of capacity provider FARGATE is -1"),
        ([item(F, 1, 100_001)], "base of capacity provider FARGATE is 100001"),
        ([item(F, 1, 1), item(S, 1, 1)], "Only one capacity provider of a strategy can have a base"),
        ([item(F), item(S)], "needs one with a weight above 0"),
    ],
)
def test_a_strategy_that_makes_no_sense_is_told_why(
    strategy: list[common_pb2.CapacityProviderStrategyItem], fault: str
) -> None:
    assert any(fault in found for found in capacity.faults(strategy))


def test_a_sensible_strategy_has_no_fault() -> None:
    assert not [*capacity.faults(CLUSTER.default_capacity_provider_strategy)]
    assert not [*capacity.faults([])]
