"""The operations on tags: each kind of resource has one keeper of its tags, here or behind a channel."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from longshore.registry import cluster_rows, definition_rows, faults, rules_tags, tagging
from longshore.rpc import arns, errors
from longshore.rpc.arns import Kind, Reference
from longshore.storage.database import Database
from longshore.storage.definitions import Key
from longshore.v1 import common_pb2, registry_service_pb2


class Keeper(Protocol):
    """Who keeps the tags of one kind of resource."""

    async def add(self, resource: Reference, tags: Sequence[common_pb2.Tag], /) -> None:
        """Add tags, or overwrite values."""

    async def remove(self, resource: Reference, keys: Sequence[str], /) -> None:
        """Remove the tags with these keys."""

    async def list_(self, resource: Reference, /) -> Sequence[common_pb2.Tag]:
        """The tags."""


class ClusterTags:
    """The tags of clusters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, resource: Reference, tags: Sequence[common_pb2.Tag]) -> None:
        """Add tags to a cluster."""
        await self._change(resource, tagging.adding(tags))

    async def remove(self, resource: Reference, keys: Sequence[str]) -> None:
        """Remove tags from a cluster."""
        await self._change(resource, tagging.removing(frozenset(keys)))

    async def list_(self, resource: Reference) -> Sequence[common_pb2.Tag]:
        """The tags of a cluster."""
        return await self._database.read(lambda _: cluster_rows.tags(resource.name))

    async def _change(self, resource: Reference, change: tagging.Change) -> None:
        await self._database.run(lambda dialect: cluster_rows.change_tags(dialect, resource.name, change))


class DefinitionTags:
    """The tags of revisions of task definitions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, resource: Reference, tags: Sequence[common_pb2.Tag]) -> None:
        """Add tags to a revision."""
        await self._change(resource, tagging.adding(tags))

    async def remove(self, resource: Reference, keys: Sequence[str]) -> None:
        """Remove tags from a revision."""
        await self._change(resource, tagging.removing(frozenset(keys)))

    async def list_(self, resource: Reference) -> Sequence[common_pb2.Tag]:
        """The tags of a revision."""
        key = _key(resource)
        return await self._database.read(lambda _: definition_rows.tags(key))

    async def _change(self, resource: Reference, change: tagging.Change) -> None:
        key = _key(resource)
        await self._database.run(lambda dialect: definition_rows.change_tags(dialect, key, change))


Keepers = Mapping[Kind, Keeper]


async def tag(keepers: Keepers, place: arns.Place, request: registry_service_pb2.TagResourceRequest) -> None:
    """TagResource."""
    keeper, resource = _kept(keepers, place, request.resource_arn)
    if not request.tags:
        raise errors.InvalidParameterException("Tags can not be empty.")
    found = tuple(rules_tags.of(request))
    if found:
        raise faults.refusal(errors.InvalidParameterException, found)
    await keeper.add(resource, request.tags)


async def untag(keepers: Keepers, place: arns.Place, request: registry_service_pb2.UntagResourceRequest) -> None:
    """UntagResource."""
    keeper, resource = _kept(keepers, place, request.resource_arn)
    if not request.tag_keys:
        raise errors.InvalidParameterException("Tag keys can not be empty.")
    await keeper.remove(resource, request.tag_keys)


async def list_(
    keepers: Keepers, place: arns.Place, request: registry_service_pb2.ListTagsForResourceRequest
) -> registry_service_pb2.ListTagsForResourceResponse:
    """ListTagsForResource."""
    keeper, resource = _kept(keepers, place, request.resource_arn)
    return registry_service_pb2.ListTagsForResourceResponse(tags=await keeper.list_(resource))


def _kept(keepers: Keepers, place: arns.Place, arn: str) -> tuple[Keeper, Reference]:
    """Who keeps the tags of an ARN, and what it names. Kinds of resources that Longshore has none of have no keeper."""
    resource = arns.any_arn(arn, place=place)
    keeper = keepers.get(resource.kind)
    if keeper is None:
        raise errors.ResourceNotFoundException(
            f"The specified resource does not exist: there is no {resource.kind.value} {resource.name}.",
            resource_type=resource.kind.value,
        )
    return keeper, resource


def _key(resource: Reference) -> Key:
    if resource.revision is None:
        raise errors.InvalidParameterException(
            f"Invalid arn syntax: the ARN of a task definition names its revision, as in {resource.name}:1."
        )
    return Key(resource.name, resource.revision)
