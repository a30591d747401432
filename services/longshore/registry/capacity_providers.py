"""The operations on capacity providers. There are FARGATE and FARGATE_SPOT, always; what can change of them is their tags."""

from collections.abc import Iterable, Mapping, Sequence

from longshore.registry import capacity_provider_rows, cluster_rows, providers, tagging, views
from longshore.rpc import arns, errors
from longshore.rpc.arns import Reference
from longshore.storage import pages, steps
from longshore.storage.database import Database
from longshore.v1 import capacity_provider_pb2, common_pb2, registry_service_pb2

MAX_DESCRIBED = 100
MAX_PAGE = 10

_TAGS = capacity_provider_pb2.CAPACITY_PROVIDER_FIELD_TAGS


async def describe(
    database: Database, place: arns.Place, request: registry_service_pb2.DescribeCapacityProvidersRequest
) -> registry_service_pb2.DescribeCapacityProvidersResponse:
    """DescribeCapacityProviders, in the order of the request. Unknown ones are failures, told with the first page."""
    if len(request.capacity_providers) > MAX_DESCRIBED:
        raise errors.InvalidParameterException(
            f"Capacity providers cannot be longer than {MAX_DESCRIBED} items.",
            capacity_providers=len(request.capacity_providers),
        )
    page = pages.of(request, most=MAX_PAGE)
    asked = list(
        dict.fromkeys(arns.capacity_provider(text, place=place).name for text in request.capacity_providers)
    ) or list(providers.KINDS)
    cluster = arns.cluster(request.cluster, place=place).name if request.cluster else None
    associated, tags = await database.read(lambda _: _looked_up(cluster))
    known = [name for name in asked if name in providers.KINDS and (associated is None or name in associated)]
    shown, token = page.cut(_after(known, page), lambda name: (name,))
    return registry_service_pb2.DescribeCapacityProvidersResponse(
        capacity_providers=[_view(name, place, tags if _TAGS in request.include else {}) for name in shown],
        failures=[] if page.after else _missing(asked, place),
        next_token=token or None,
    )


class ProviderTags:
    """The tags of capacity providers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, resource: Reference, tags: Sequence[common_pb2.Tag]) -> None:
        """Add tags to a capacity provider."""
        await self._change(resource, tagging.adding(tags))

    async def remove(self, resource: Reference, keys: Sequence[str]) -> None:
        """Remove tags from a capacity provider."""
        await self._change(resource, tagging.removing(frozenset(keys)))

    async def list_(self, resource: Reference) -> Sequence[common_pb2.Tag]:
        """The tags of a capacity provider."""
        name = _existing(resource)
        tags = await self._database.read(lambda _: capacity_provider_rows.tags())
        return tags.get(name, ())

    async def _change(self, resource: Reference, change: tagging.Change) -> None:
        name = _existing(resource)
        await self._database.run(lambda dialect: capacity_provider_rows.change_tags(dialect, name, change))


def _looked_up(cluster: str | None) -> steps.Step[tuple[frozenset[str] | None, Mapping[str, list[common_pb2.Tag]]]]:
    """The providers of the cluster (None: no cluster was named), and the tags of all providers."""
    associated = None
    if cluster is not None:
        record = yield from cluster_rows.active(cluster)
        associated = frozenset(record.capacity_providers)
    tags = yield from capacity_provider_rows.tags()
    return associated, tags


def _after(known: Sequence[str], page: pages.Page) -> Sequence[str]:
    """What follows the last page, in the order asked for; the token says by which name that ended."""
    if not page.after:
        return known
    if page.after[0] not in known:
        raise errors.InvalidParameterException("nextToken is not valid.")
    return known[known.index(page.after[0]) + 1 :]


def _view(
    name: str, place: arns.Place, tags: Mapping[str, Sequence[common_pb2.Tag]]
) -> capacity_provider_pb2.CapacityProvider:
    return capacity_provider_pb2.CapacityProvider(
        capacity_provider_arn=place.capacity_provider(name),
        name=name,
        status=capacity_provider_pb2.CAPACITY_PROVIDER_STATUS_ACTIVE,
        type=providers.KINDS[name],
        tags=tags.get(name, ()),
    )


def _missing(asked: Iterable[str], place: arns.Place) -> list[common_pb2.Failure]:
    return [views.missing(place.capacity_provider(name)) for name in asked if name not in providers.KINDS]


def _existing(resource: Reference) -> str:
    if resource.name not in providers.KINDS:
        raise errors.ResourceNotFoundException(
            f"The specified resource does not exist: there is no capacity provider {resource.name}.",
            resource_type=resource.kind.value,
        )
    return resource.name
