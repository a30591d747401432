"""What holds for every strategy over capacity providers, sensible or not."""

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from longshore.registry import cluster_changes, cluster_rules
from longshore.rpc import codec, errors
from longshore.v1 import cluster_pb2, registry_service_pb2

NAMES = st.sampled_from(["FARGATE", "FARGATE_SPOT", "mine", ""])
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "capacityProvider": NAMES,
        "weight": st.sampled_from([-1, 0, 1, 1000, 1001]),
        "base": st.sampled_from([-1, 0, 1, 100_000, 100_001]),
    },
)
REQUESTS = st.fixed_dictionaries(
    {
        "capacityProviders": st.lists(st.sampled_from(["FARGATE", "FARGATE_SPOT", "mine"]), max_size=3),
        "defaultCapacityProviderStrategy": st.lists(ITEMS, max_size=3),
    }
)


def _sensible(request: dict[str, Any]) -> bool:
    """What ECS's documentation says of a strategy, said once more in another way."""
    names, strategy = request["capacityProviders"], request["defaultCapacityProviderStrategy"]
    used = [item.get("capacityProvider") for item in strategy]
    return (
        set(names) <= {"FARGATE", "FARGATE_SPOT"}
        and len(set(names)) == len(names)
        and set(used) <= set(names)
        and len(set(used)) == len(used)
        and all(0 <= item.get("weight", 0) <= 1000 and 0 <= item.get("base", 0) <= 100_000 for item in strategy)
        and sum(item.get("base", 0) > 0 for item in strategy) <= 1
    )


@given(REQUESTS)
def test_a_strategy_is_refused_exactly_where_ecs_refuses_it(request: dict[str, Any]) -> None:
    message = codec.from_json(registry_service_pb2.CreateClusterRequest, request)
    try:
        cluster_rules.check(message)
        taken = True
    except errors.InvalidParameterException:
        taken = False

    event("taken" if taken else "refused")
    assert taken is _sensible(request)


@given(REQUESTS, REQUESTS)
def test_what_was_put_is_what_is_shown_whatever_was_there(before: dict[str, Any], after: dict[str, Any]) -> None:
    record = cluster_pb2.Cluster(cluster_name="web", tags=[], capacity_providers=before["capacityProviders"])
    for request in (before, after):
        message = codec.from_json(registry_service_pb2.PutClusterCapacityProvidersRequest, {"cluster": "web"} | request)
        cluster_changes.of_providers(message)(record)

    shown = codec.to_json(record)
    assert shown["capacityProviders"] == after["capacityProviders"]
    assert shown["defaultCapacityProviderStrategy"] == [
        {"capacityProvider": "", "weight": 0, "base": 0} | item for item in after["defaultCapacityProviderStrategy"]
    ]
