"""Capacity providers: which one each task of a RunTask is placed through. Pure.

The providers there are stand for every instance of the cluster, so a strategy never changes where a task is placed; it decides what its tasks
show: the provider's name, and the launch type that goes with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.v1 import cluster_pb2, common_pb2

MAX_ITEMS = 20
MAX_WEIGHT = 1_000
MAX_BASE = 100_000

NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster."
    " Associate the capacity provider with the cluster or specify a valid capacity provider and try again."
)

LAUNCH_TYPE = common_pb2.LAUNCH_TYPE_FARGATE
"""What ECS shows of tasks placed through FARGATE and FARGATE_SPOT, which are all providers that there are."""


@dataclass(frozen=True, slots=True)
class Item:
    """One provider's part in a strategy."""

    provider: str
    weight: int
    base: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says of capacity: items of its own, or, where it gives no launch type either, the cluster's default."""

    items: tuple[Item, ...] = ()
    default: bool = False


NONE = Wish()


def of_request(
    strategy: Iterable[common_pb2.CapacityProviderStrategyItem], launch_type: common_pb2.LaunchType.ValueType
) -> Wish:
    """The wish of a RunTask."""
    items = items_of(strategy)
    return Wish(items, default=not items and not launch_type)


def items_of(strategy: Iterable[common_pb2.CapacityProviderStrategyItem]) -> tuple[Item, ...]:
    """The items of a strategy."""
    return tuple(Item(item.capacity_provider, item.weight, item.base) for item in strategy)


def faults(strategy: Sequence[common_pb2.CapacityProviderStrategyItem]) -> Iterator[str]:
    """What is wrong with the strategy of a request, whatever the cluster's providers are."""
    items = items_of(strategy)
    if len(items) > MAX_ITEMS:
        yield f"capacityProviderStrategy has {len(items)} items, {MAX_ITEMS} are allowed."
    names = [item.provider for item in items]
    if not all(names):
        yield "An item of capacityProviderStrategy must name its capacityProvider."
    if len(names) != len(set(names)):
        yield "capacityProviderStrategy names a capacity provider twice."
    for item in items:
        if not 0 <= item.weight <= MAX_WEIGHT:
            yield f"The weight of capacity provider {item.provider} is {item.weight}; 0 to {MAX_WEIGHT} are allowed."
        if not 0 <= item.base <= MAX_BASE:
            yield f"The base of capacity provider {item.provider} is {item.base}; 0 to {MAX_BASE} are allowed."
    if sum(item.base > 0 for item in items) > 1:
        yield "Only one capacity provider of a strategy can have a base."
    if len(items) > 1 and not any(item.weight for item in items):
        yield "A capacity provider strategy with several providers needs one with a weight above 0."


def providers(wish: Wish, cluster: cluster_pb2.Cluster, count: int) -> tuple[str, ...]:
    """The provider of each of `count` tasks; none where no strategy applies. Raises InvalidParameterException."""
    items = wish.items
    if wish.default:
        items = items_of(cluster.default_capacity_provider_strategy)
    elif not {item.provider for item in items} <= set(cluster.capacity_providers):
        raise errors.InvalidParameterException(NOT_ASSOCIATED)
    return tuple(_spread(items, count)) if items else ()


def _spread(items: Sequence[Item], count: int) -> Iterator[str]:
    """The base first; then each task goes where, for the weights, there are fewest."""
    based = next((item for item in items if item.base), None)
    beyond = count
    if based is not None:
        beyond = max(0, count - based.base)
        yield from (based.provider for _ in range(count - beyond))
    # Without any weight nothing would go beyond the base; ECS has the one provider take it.
    weighted = [item for item in items if item.weight] or [based or items[0]]
    given = dict.fromkeys((item.provider for item in weighted), 0)
    for _ in range(beyond):
        least = min(weighted, key=lambda item: (given[item.provider] + 1) / (item.weight or 1))
        given[least.provider] += 1
        yield least.provider
