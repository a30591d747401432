"""Each rule of a cluster is broken by a request of its own, and a test refuses a rule without one."""

from typing import Any

import pytest

from longshore.registry import cluster_rules, rules_tags
from longshore.rpc import codec, errors
from longshore.v1 import registry_service_pb2

BOTH = ["FARGATE", "FARGATE_SPOT"]


def _item(provider: str = "FARGATE", **members: int) -> dict[str, Any]:
    return {"capacityProvider": provider} | members


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "cluster-name": ({"clusterName": "a b"}, "clusterName is 'a b'; it must be at most 255 letters"),
    "cluster-setting-named": ({"settings": [{"value": "enabled"}]}, "settings[0].name is not given; it must be a text"),
    "cluster-setting-valued": (
        {"settings": [{"name": "containerInsights"}]},
        "settings[0].value is not given; it must be a text",
    ),
    "cluster-setting-name": (
        {"settings": [{"name": "x", "value": "enabled"}]},
        "settings[0].name is 'x'; it must be 'containerInsights'",
    ),
    "cluster-setting-value": (
        {"settings": [{"name": "containerInsights", "value": "on"}]},
        "settings[0].value is 'on'; it must be 'enabled', 'disabled' or 'enhanced'",
    ),
    "cluster-setting-once": (
        {"settings": [{"name": "containerInsights", "value": "enabled"}] * 2},
        "settings[1].name is 'containerInsights'; it must be given once",
    ),
    "capacity-providers-count": ({"capacityProviders": ["FARGATE"] * 21}, "it must be at most 20 providers long"),
    "capacity-provider-exists": (
        {"capacityProviders": ["mine"]},
        "The specified capacity provider 'mine' was not found.",
    ),
    "capacity-provider-once": (
        {"capacityProviders": ["FARGATE", "FARGATE"]},
        "capacityProviders[1] is 'FARGATE'; it must be given once",
    ),
    "strategy-count": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item()] * 21},
        "it must be at most 20 items long",
    ),
    "strategy-provider-required": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [{"weight": 1}]},
        "defaultCapacityProviderStrategy[0].capacityProvider is not given; it must be a text",
    ),
    "strategy-provider-exists": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item("mine")]},
        "The specified capacity provider 'mine' was not found.",
    ),
    "strategy-provider-associated": (
        {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": [_item("FARGATE_SPOT")]},
        (
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the"
            " cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again."
        ),
    ),
    "strategy-provider-once": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(), _item()]},
        "defaultCapacityProviderStrategy[1].capacityProvider is 'FARGATE'; it must be given once",
    ),
    "strategy-weight": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(weight=1001)]},
        "defaultCapacityProviderStrategy[0].weight is 1001; it must be between 0 and 1000",
    ),
    "strategy-base": (
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(base=-1)]},
        "defaultCapacityProviderStrategy[0].base is -1; it must be between 0 and 100000",
    ),
    "strategy-one-base": (
        {
            "capacityProviders": BOTH,
            "defaultCapacityProviderStrategy": [_item(base=1), _item("FARGATE_SPOT", base=2)],
        },
        "defaultCapacityProviderStrategy[1].base is 2; it must be 0: another item of the strategy has a base",
    ),
}


def _checked(members: dict[str, Any]) -> None:
    cluster_rules.check(codec.from_json(registry_service_pb2.CreateClusterRequest, members))


@pytest.mark.parametrize("name", CASES)
def test_a_broken_rule_is_told_with_field_value_and_rule(name: str) -> None:
    members, words = CASES[name]

    with pytest.raises(errors.InvalidParameterException) as caught:
        _checked(members)

    told = {entry.partition(" ")[0] for key, entry in caught.value.metadata.items() if key.startswith("fault_")}
    assert name in told
    assert words in caught.value.message


def test_every_rule_has_a_case() -> None:
    assert {rule.name for rule in cluster_rules.RULES} - {rule.name for rule in rules_tags.RULES} == set(CASES)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"clusterName": "web", "settings": [{"name": "containerInsights", "value": "enhanced"}]},
        {"capacityProviders": BOTH},
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(), _item("FARGATE_SPOT")]},
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(base=1), _item("FARGATE_SPOT", base=0)]},
        {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": [_item(weight=1000, base=100_000)]},
    ],
)
def test_what_ecs_takes_breaks_no_rule(members: dict[str, Any]) -> None:
    _checked(members)
