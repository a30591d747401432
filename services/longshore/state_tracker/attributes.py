"""PutAttributes and DeleteAttributes: custom attributes of instances, all of a call or none."""

from collections.abc import Mapping, Sequence

from longshore.rpc import errors
from longshore.state_tracker import instance_changes, instance_rules, scope
from longshore.v1 import common_pb2
from longshore.views import container_instance

Attributes = Sequence[common_pb2.Attribute]


class AttributeChanges:
    """Runs the two operations."""

    def __init__(self, changes: instance_changes.InstanceChanges, scopes: scope.Scopes) -> None:
        self._changes = changes
        self._scopes = scopes

    async def put(self, cluster: str, attributes: Attributes) -> list[common_pb2.Attribute]:
        """Add attributes, or change their values; gives them as they are now."""
        targets = by_target(attributes, cluster, self._scopes)
        for wanted in targets.values():
            instance_rules.check_attributes(wanted)

        def change(stored: container_instance.Stored) -> container_instance.Stored:
            wanted = targets[stored.instance_id]
            return instance_changes.with_attributes(
                stored, instance_rules.with_attributes(stored.body.attributes, wanted)
            )

        await self._changes.change(cluster, list(targets), change, required=True)
        return self._shown(cluster, targets)

    async def delete(self, cluster: str, attributes: Attributes) -> list[common_pb2.Attribute]:
        """Remove attributes by their names, where they are there; gives those that were, with their values."""
        targets = by_target(attributes, cluster, self._scopes)
        names = {key: frozenset(attribute.name for attribute in wanted) for key, wanted in targets.items()}
        # Of the transaction's last run, should it have been run again.
        removed: dict[str, list[common_pb2.Attribute]] = {key: [] for key in targets}

        def change(stored: container_instance.Stored) -> container_instance.Stored:
            gone = names[stored.instance_id]
            removed[stored.instance_id] = [it for it in stored.body.attributes if it.name in gone]
            return instance_changes.with_attributes(
                stored, [it for it in stored.body.attributes if it.name not in gone]
            )

        await self._changes.change(cluster, list(targets), change, required=True)
        return self._shown(cluster, removed)

    def _shown(self, cluster: str, targets: Mapping[str, Sequence[common_pb2.Attribute]]) -> list[common_pb2.Attribute]:
        return [
            common_pb2.Attribute(
                name=attribute.name,
                value=attribute.value if attribute.HasField("value") else None,
                target_type=common_pb2.TARGET_TYPE_CONTAINER_INSTANCE,
                target_id=self._scopes.place.container_instance(cluster, instance_id),
            )
            for instance_id, attributes in targets.items()
            for attribute in attributes
        ]


def by_target(attributes: Attributes, cluster: str, scopes: scope.Scopes) -> dict[str, list[common_pb2.Attribute]]:
    """The attributes by the instance that they are of."""
    if not attributes:
        raise errors.InvalidParameterException("attributes cannot be empty.")
    if len(attributes) > instance_rules.MAX_ATTRIBUTES_PER_CALL:
        raise errors.InvalidParameterException(
            f"attributes can have at most {instance_rules.MAX_ATTRIBUTES_PER_CALL} items, {len(attributes)} were given."
        )
    targets: dict[str, list[common_pb2.Attribute]] = {}
    for attribute in attributes:
        if not attribute.target_id:
            raise errors.InvalidParameterException(f"Attribute {attribute.name} needs a targetId.")
        if instance_rules.is_built_in(attribute.name):
            raise errors.InvalidParameterException(
                f"Attribute {attribute.name} is one of those that the agent sets; choose another name."
            )
        instance_id = scopes.instance(attribute.target_id, cluster)
        targets.setdefault(instance_id, []).append(instance_rules.bare(attribute))
    return targets
