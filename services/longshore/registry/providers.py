"""The capacity providers that there are: the two that ECS has without anybody having made them. Pure."""

from collections.abc import Mapping

from longshore.v1 import capacity_provider_pb2

KINDS: Mapping[str, capacity_provider_pb2.CapacityProviderType.ValueType] = {
    "FARGATE": capacity_provider_pb2.CAPACITY_PROVIDER_TYPE_FARGATE,
    "FARGATE_SPOT": capacity_provider_pb2.CAPACITY_PROVIDER_TYPE_FARGATE_SPOT,
}
"""Their types by name, in the order in which they are listed."""
