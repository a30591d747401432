"""Rules about a cluster's capacity providers and the strategy over them: ecs.md section 4 and botocore's model. Pure.

For every request that carries them under the names `capacityProviders` and `defaultCapacityProviderStrategy`.
"""

from collections.abc import Iterator

from longshore.registry import paths, providers, rule
from longshore.registry.rule import Found, Rule, Subject

MAX_PROVIDERS = 20
MAX_WEIGHT = 1_000
MAX_BASE = 100_000

_NAMED = "capacityProviders"
_STRATEGY = "defaultCapacityProviderStrategy"
_NOT_FOUND = "The specified capacity provider {value} was not found."


def _unassociated(subject: Subject) -> Iterator[Found]:
    """Providers of the strategy that exist and are not the cluster's."""
    associated = {place.value for place in paths.values(subject.message, f"{_NAMED}[]")}
    for place in paths.values(subject.message, f"{_STRATEGY}[].capacityProvider"):
        if place.value in providers.KINDS and place.value not in associated:
            yield Found(place.where, place.value)


def _further_bases(subject: Subject) -> Iterator[Found]:
    """Bases besides the first. ECS takes a base of 0 for none."""
    bases = [place for place in paths.values(subject.message, f"{_STRATEGY}[].base") if place.value]
    for place in bases[1:]:
        yield Found(place.where, place.value)


RULES: tuple[Rule[Subject], ...] = (
    Rule(
        "capacity-providers-count",
        "ecs.md 4",
        rule.at_most(_NAMED, MAX_PROVIDERS),
        f"must be at most {MAX_PROVIDERS} providers long",
    ),
    Rule(
        "capacity-provider-exists",
        "ecs.md 4",
        rule.each(f"{_NAMED}[]", rule.one_of(providers.KINDS)),
        text=_NOT_FOUND,
    ),
    Rule("capacity-provider-once", "ecs.md 4", rule.unique(f"{_NAMED}[]"), "must be given once"),
    Rule(
        "strategy-count",
        "ecs.md 4",
        rule.at_most(_STRATEGY, MAX_PROVIDERS),
        f"must be at most {MAX_PROVIDERS} items long",
    ),
    Rule("strategy-provider-required", "botocore", rule.required(f"{_STRATEGY}[].capacityProvider"), "must be a text"),
    Rule(
        "strategy-provider-exists",
        "ecs.md 4",
        rule.each(f"{_STRATEGY}[].capacityProvider", lambda name: not name or name in providers.KINDS),
        text=_NOT_FOUND,
    ),
    Rule(
        "strategy-provider-associated",
        "botocore",
        _unassociated,
        text="The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster."
        " Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
    ),
    Rule(
        "strategy-provider-once",
        "ecs.md 4",
        rule.unique(f"{_STRATEGY}[].capacityProvider"),
        "must be given once",
    ),
    Rule(
        "strategy-weight",
        "ecs.md 4",
        rule.each(f"{_STRATEGY}[].weight", rule.between(0, MAX_WEIGHT)),
        f"must be between 0 and {MAX_WEIGHT}",
    ),
    Rule(
        "strategy-base",
        "ecs.md 4",
        rule.each(f"{_STRATEGY}[].base", rule.between(0, MAX_BASE)),
        f"must be between 0 and {MAX_BASE}",
    ),
    Rule("strategy-one-base", "ecs.md 4", _further_bases, "must be 0: another item of the strategy has a base"),
)
