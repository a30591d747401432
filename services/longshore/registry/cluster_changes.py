"""How a cluster's stored record changes. Pure: each change is a function on the record, repeatable as a transaction is."""

from collections.abc import Callable, Iterable, Sequence

from longshore.rpc import errors
from longshore.v1 import cluster_pb2, common_pb2, registry_service_pb2

Change = Callable[[cluster_pb2.Cluster], None]

INCONSISTENT = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."


def of_update(request: registry_service_pb2.UpdateClusterRequest) -> Change:
    """UpdateCluster: what the request leaves out stays."""

    def change(record: cluster_pb2.Cluster) -> None:
        put_settings(record, request.settings)
        if request.HasField("configuration"):
            record.configuration.CopyFrom(request.configuration)
        if request.HasField("service_connect_defaults"):
            put_namespace(record, request.service_connect_defaults.namespace)

    return change


def of_settings(settings: Iterable[cluster_pb2.ClusterSetting]) -> Change:
    """UpdateClusterSettings."""
    return lambda record: put_settings(record, settings)


def of_providers(request: registry_service_pb2.PutClusterCapacityProvidersRequest) -> Change:
    """PutClusterCapacityProviders: the lists are replaced, whole."""

    def change(record: cluster_pb2.Cluster) -> None:
        put_providers(record, request.capacity_providers.values, request.default_capacity_provider_strategy.values)

    return change


def put_settings(record: cluster_pb2.Cluster, settings: Iterable[cluster_pb2.ClusterSetting]) -> None:
    """Settings are added; one whose name is there takes the new value."""
    changed = {setting.name: setting for setting in record.settings} | {setting.name: setting for setting in settings}
    copies = [cluster_pb2.ClusterSetting(name=name, value=setting.value) for name, setting in changed.items()]
    record.ClearField("settings")
    record.settings.extend(copies)


def put_namespace(record: cluster_pb2.Cluster, namespace: str) -> None:
    """The default namespace is replaced; an empty one removes it."""
    record.ClearField("service_connect_defaults")
    if namespace:
        record.service_connect_defaults.namespace = namespace


def put_providers(
    record: cluster_pb2.Cluster,
    names: Iterable[str],
    strategy: Iterable[common_pb2.CapacityProviderStrategyItem],
) -> None:
    """Providers and strategy are replaced. A weight or base that was left out is stored, and echoed, as ECS's 0."""
    record.ClearField("capacity_providers")
    record.capacity_providers.extend(names)
    record.ClearField("default_capacity_provider_strategy")
    record.default_capacity_provider_strategy.extend(
        common_pb2.CapacityProviderStrategyItem(
            capacity_provider=item.capacity_provider, weight=item.weight, base=item.base
        )
        for item in strategy
    )


def agrees(record: cluster_pb2.Cluster, made: cluster_pb2.Cluster) -> None:
    """Refuse to make a cluster again with other arguments than it has. What the request leaves out agrees with anything.

    Settings and tags are not looked at: they are changed by operations of their own, and tools repeat what they once made.
    """
    if (
        (made.HasField("configuration") and made.configuration != record.configuration)
        or (made.capacity_providers and set(made.capacity_providers) != set(record.capacity_providers))
        or (
            made.default_capacity_provider_strategy
            and _by_provider(made.default_capacity_provider_strategy)
            != _by_provider(record.default_capacity_provider_strategy)
        )
    ):
        raise errors.InvalidParameterException(INCONSISTENT, cluster=made.cluster_name)


def _by_provider(strategy: Sequence[common_pb2.CapacityProviderStrategyItem]) -> dict[str, tuple[int, int]]:
    return {item.capacity_provider: (item.weight, item.base) for item in strategy}
