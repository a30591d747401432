"""DescribeContainerInstances, ListContainerInstances, ListAttributes: what is read of instances."""

from collections.abc import Iterable, Sequence

from longshore.rpc import arns, errors
from longshore.state_tracker import agent_updates, instance_filter, instance_rows, instance_rules, scope
from longshore.storage import pages, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, container_instance_pb2, state_tracker_service_pb2
from longshore.views import container_instance

# Instances whose attributes are looked through at a time.
ATTRIBUTE_CHUNK = 200

MISSING = "MISSING"
INACTIVE = "INACTIVE"

_UNSPECIFIED = container_instance_pb2.CONTAINER_INSTANCE_STATUS_UNSPECIFIED


class InstanceQueries:
    """Answers from one snapshot each."""

    def __init__(self, database: Database, scopes: scope.Scopes, *, release: str) -> None:
        self._database = database
        self._scopes = scopes
        self._release = release

    async def describe(
        self, request: state_tracker_service_pb2.DescribeContainerInstancesRequest
    ) -> state_tracker_service_pb2.DescribeContainerInstancesResponse:
        """The instances that the request names, and a failure for each that is not there."""
        cluster = await self._scopes.existing(request.cluster)
        ids = named(request.container_instances, cluster, self._scopes, limit=instance_rules.MAX_DESCRIBED)
        found, usage = await self._database.read(lambda dialect: _described(dialect, cluster, ids))
        place = self._scopes.place
        answer = state_tracker_service_pb2.DescribeContainerInstancesResponse(
            failures=missing(ids, found, cluster, place)
        )
        tags = state_tracker_service_pb2.CONTAINER_INSTANCE_FIELD_TAGS in request.include
        health = state_tracker_service_pb2.CONTAINER_INSTANCE_FIELD_CONTAINER_INSTANCE_HEALTH in request.include
        for instance_id in ids:
            if instance_id in found:
                answer.container_instances.append(
                    container_instance.render(
                        found[instance_id].stored, usage[instance_id], place=place, tags=tags, health=health
                    )
                )
        return answer

    async def list_(
        self, request: state_tracker_service_pb2.ListContainerInstancesRequest
    ) -> state_tracker_service_pb2.ListContainerInstancesResponse:
        """ARNs of the cluster's instances, a page at a time."""
        cluster = await self._scopes.existing(request.cluster)
        page = pages.of(request)
        status = request.status if request.status != _UNSPECIFIED else None
        after = page.after[0] if page.after else ""
        if request.filter:
            query = instance_filter.read(request.filter)
            rows = await self._database.read(
                lambda dialect: instance_filter.matching(
                    dialect, cluster, query, after=after, limit=page.fetch, status=status
                )
            )
        else:
            rows = await self._database.read(lambda _: instance_rows.all_in(cluster, after, page.fetch, status))
        kept, token = page.cut(rows, lambda instance_id: (instance_id,))
        answer = state_tracker_service_pb2.ListContainerInstancesResponse(
            container_instance_arns=[self._scopes.place.container_instance(cluster, key) for key in kept]
        )
        if token:
            answer.next_token = token
        return answer

    async def list_attributes(
        self, request: state_tracker_service_pb2.ListAttributesRequest
    ) -> state_tracker_service_pb2.ListAttributesResponse:
        """The attributes of the cluster's instances, by instance and name, a page at a time."""
        if request.target_type != common_pb2.TARGET_TYPE_CONTAINER_INSTANCE:
            raise errors.InvalidParameterException("targetType is required and must be container-instance.")
        if request.attribute_value and not request.attribute_name:
            raise errors.InvalidParameterException("attributeValue goes with attributeName.")
        cluster = await self._scopes.existing(request.cluster)
        page = pages.of(request, keys=2)
        rows = await self._database.read(lambda dialect: _attributes(dialect, cluster, request, page))
        kept, token = page.cut(rows, lambda row: (row.target_id, row.name))
        for attribute in kept:
            attribute.target_id = self._scopes.place.container_instance(cluster, attribute.target_id)
        answer = state_tracker_service_pb2.ListAttributesResponse(attributes=kept)
        if token:
            answer.next_token = token
        return answer

    async def one(self, cluster: str, instance_id: str) -> container_instance.Stored:
        """An instance of the cluster. Raises TargetNotFoundException."""
        found = await self._database.read(lambda dialect: instance_rows.in_cluster(dialect, cluster, [instance_id]))
        if instance_id not in found:
            raise errors.TargetNotFoundException(f"There is no container instance {instance_id} in cluster {cluster}.")
        return found[instance_id].stored

    async def agent_update(self, request: state_tracker_service_pb2.UpdateContainerAgentRequest) -> errors.ServiceError:
        """Why the agent of an instance is not updated. Raises InvalidParameterException where there is no such instance."""
        cluster = await self._scopes.existing(request.cluster)
        instance_id = self._scopes.instance(request.container_instance, cluster)
        found = await self._database.read(lambda dialect: instance_rows.in_cluster(dialect, cluster, [instance_id]))
        if instance_id not in found or not found[instance_id].active:
            raise errors.InvalidParameterException("Referenced container instance not found.", instance=instance_id)
        version = found[instance_id].stored.body.version_info.agent_version
        return agent_updates.refusal(instance_id, version, self._release)


def named(texts: Sequence[str], cluster: str, scopes: scope.Scopes, *, limit: int) -> list[str]:
    """Ids of the instances that a request names, each once, in its order."""
    if not texts:
        raise errors.InvalidParameterException("Container instance cannot be empty.")
    if len(texts) > limit:
        raise errors.InvalidParameterException(f"instanceIds can have at most {limit} items, {len(texts)} were given.")
    return list(dict.fromkeys(scopes.instance(text, cluster) for text in texts))


def missing(ids: Iterable[str], found: Iterable[str], cluster: str, place: arns.Place) -> list[common_pb2.Failure]:
    """A failure for each id that was not found."""
    there = frozenset(found)
    return [
        common_pb2.Failure(arn=place.container_instance(cluster, instance_id), reason=MISSING)
        for instance_id in ids
        if instance_id not in there
    ]


def _described(
    dialect: Dialect, cluster: str, ids: list[str]
) -> steps.Step[tuple[dict[str, instance_rows.Instance], dict[str, container_instance.Usage]]]:
    found = yield from instance_rows.in_cluster(dialect, cluster, ids)
    usage = yield from instance_rows.usage(dialect, list(found))
    return found, usage


def _attributes(
    dialect: Dialect, cluster: str, request: state_tracker_service_pb2.ListAttributesRequest, page: pages.Page
) -> steps.Step[list[common_pb2.Attribute]]:
    """The page's attributes, their target an id still."""
    after: tuple[str, ...] = page.after or ("", "")
    rows: list[common_pb2.Attribute] = []
    # The token's own instance may have more attributes: from just below its id on.
    last = ""
    if after[0]:
        own = yield from instance_rows.in_cluster(dialect, cluster, [after[0]])
        rows += _matching([instance.stored for instance in own.values() if instance.active], request, after)
        last = after[0]
    while len(rows) < page.fetch:
        ids = yield from instance_rows.all_in(cluster, last, ATTRIBUTE_CHUNK, None)
        if not ids:
            break
        found = yield from instance_rows.by_ids(dialect, ids)
        rows += _matching([found[key].stored for key in ids if key in found], request, after)
        last = ids[-1]
    return rows[: page.fetch]


def _matching(
    instances: Iterable[container_instance.Stored],
    request: state_tracker_service_pb2.ListAttributesRequest,
    after: tuple[str, ...],
) -> list[common_pb2.Attribute]:
    return [
        common_pb2.Attribute(
            name=attribute.name,
            value=attribute.value if attribute.HasField("value") else None,
            target_id=stored.instance_id,
        )
        for stored in instances
        for attribute in sorted(stored.body.attributes, key=lambda attribute: attribute.name)
        if (stored.instance_id, attribute.name) > after
        and (not request.attribute_name or attribute.name == request.attribute_name)
        and (not request.attribute_value or attribute.value == request.attribute_value)
    ]
