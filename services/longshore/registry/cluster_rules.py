"""Rules for clusters, in a table as those for task definitions are. Pure.

What changes a cluster is checked as if the cluster were made with it: the rules are those of CreateCluster.
"""

from dataclasses import dataclass

from longshore.registry import faults, names, rule, rules_strategy, rules_tags, setting_names
from longshore.registry.rule import Rule, Subject, Table
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The request as a subject of rules."""

    message: registry_service_pb2.CreateClusterRequest
    label: str = "the cluster"
    path: str = ""


RULES: tuple[Rule[Subject], ...] = (
    Rule(
        "cluster-name",
        "ecs.md 7",
        rule.each("clusterName", lambda name: not name or names.NAME.fullmatch(str(name)) is not None),
        "must be at most 255 letters, digits, hyphens and underscores",
    ),
    Rule("cluster-setting-named", "ecs.md 7", rule.required("settings[].name"), "must be a text"),
    Rule("cluster-setting-valued", "ecs.md 7", rule.required("settings[].value"), "must be a text"),
    Rule(
        "cluster-setting-name",
        "ecs.md 7",
        rule.each("settings[].name", rule.one_of({setting_names.CONTAINER_INSIGHTS})),
        f"must be '{setting_names.CONTAINER_INSIGHTS}'",
    ),
    Rule(
        "cluster-setting-value",
        "ecs.md 7",
        rule.each("settings[].value", rule.one_of(setting_names.NAMES[setting_names.CONTAINER_INSIGHTS].values)),
        "must be 'enabled', 'disabled' or 'enhanced'",
    ),
    Rule("cluster-setting-once", "ecs.md 7", rule.unique("settings[].name"), "must be given once"),
    *rules_strategy.RULES,
    *rules_tags.RULES,
)


def check(request: registry_service_pb2.CreateClusterRequest) -> None:
    """Raise InvalidParameterException with everything that is wrong with a request."""
    found = tuple(Table(RULES).faults((_Cluster(request),)))
    if found:
        raise faults.refusal(errors.InvalidParameterException, found)
