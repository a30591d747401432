"""The operations on task definitions: request in, answer out."""

from collections.abc import Callable

from longshore.registry import (
    compatibilities,
    defaults,
    definition_rows,
    names,
    principals,
    requires_attributes,
    rules,
    subjects,
    tagging,
    views,
)
from longshore.rpc import arns, errors
from longshore.storage import pages
from longshore.storage.database import Database
from longshore.storage.definitions import Key
from longshore.v1 import common_pb2, registry_service_pb2, task_definition_pb2

MAX_DELETED = 10

_STILL_ACTIVE = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
_NOT_THERE = "The specified task definition does not exist. Specify a valid account, family, revision and try again."

_FAMILY_ACTIVE = {
    registry_service_pb2.TASK_DEFINITION_FAMILY_STATUS_ACTIVE: True,
    registry_service_pb2.TASK_DEFINITION_FAMILY_STATUS_INACTIVE: False,
}


def prepared(
    request: registry_service_pb2.RegisterTaskDefinitionRequest, *, principal: str
) -> task_definition_pb2.TaskDefinition:
    """The definition that is stored for a request: checked, filled in, with what is derived of it. Pure.

    Raises ClientException with every fault. It has no revision, status or times yet; `registered_by` holds the principal.
    """
    rules.check(request)
    definition = defaults.definition_of(request)
    defaults.fill(definition)
    definition.requires_attributes.extend(requires_attributes.of(definition))
    definition.compatibilities.extend(compatibilities.of(subjects.definition(request)))
    definition.registered_by = principal
    return definition


async def register(
    database: Database,
    place: arns.Place,
    request: registry_service_pb2.RegisterTaskDefinitionRequest,
    *,
    principal: str,
) -> registry_service_pb2.RegisterTaskDefinitionResponse:
    """RegisterTaskDefinition."""
    if principal.startswith(principals.ACCESS_KEY):
        # Stored by the key's name, which outlives the key.
        principal = await database.read(lambda _: principals.user_name(principal))
    definition = prepared(request, principal=principal)
    tags = tagging.packed(request.tags)
    row = await database.run(lambda dialect: definition_rows.register(dialect, definition, tags))
    return registry_service_pb2.RegisterTaskDefinitionResponse(
        task_definition=views.definition(row, place), tags=request.tags
    )


async def describe(
    database: Database, place: arns.Place, request: registry_service_pb2.DescribeTaskDefinitionRequest
) -> registry_service_pb2.DescribeTaskDefinitionResponse:
    """DescribeTaskDefinition, of the newest ACTIVE revision where none is named."""
    named = _named(request.task_definition, place)
    row = await database.read(lambda _: definition_rows.find(named.name, named.revision))
    if row is None:
        raise _unknown(request.task_definition)
    wanted = registry_service_pb2.TASK_DEFINITION_FIELD_TAGS in request.include
    return registry_service_pb2.DescribeTaskDefinitionResponse(
        task_definition=views.definition(row, place), tags=tagging.unpacked(row.tags) if wanted else ()
    )


async def list_(
    database: Database, place: arns.Place, request: registry_service_pb2.ListTaskDefinitionsRequest
) -> registry_service_pb2.ListTaskDefinitionsResponse:
    """ListTaskDefinitions: of one family (whole name) or all, ACTIVE ones unless told otherwise."""
    page = pages.of(request, keys=2)
    names.known(request.status, task_definition_pb2.TaskDefinitionStatus.values(), "status")
    names.known(request.sort, registry_service_pb2.SortOrder.values(), "sort")
    wanted = definition_rows.Filter(
        status=request.status or task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE,
        family=request.family_prefix,
        descending=request.sort == registry_service_pb2.SORT_ORDER_DESC,
    )
    if not names.possible_part(request.family_prefix):
        return registry_service_pb2.ListTaskDefinitionsResponse()
    behind = names.after_revision(page)
    after = Key(*behind) if behind is not None else None
    rows = await database.read(lambda _: definition_rows.listed(wanted, after, page.fetch))
    keys, token = page.cut(rows, lambda key: (key.family, str(key.revision)))
    return registry_service_pb2.ListTaskDefinitionsResponse(
        task_definition_arns=[place.task_definition(key.family, key.revision) for key in keys], next_token=token or None
    )


async def list_families(
    database: Database, request: registry_service_pb2.ListTaskDefinitionFamiliesRequest
) -> registry_service_pb2.ListTaskDefinitionFamiliesResponse:
    """ListTaskDefinitionFamilies: by a prefix, with ACTIVE revisions or without."""
    page = pages.of(request)
    names.known(request.status, registry_service_pb2.TaskDefinitionFamilyStatus.values(), "status")
    if not names.possible_part(request.family_prefix):
        return registry_service_pb2.ListTaskDefinitionFamiliesResponse()
    after = names.after(page)
    active = _FAMILY_ACTIVE.get(request.status)
    rows = await database.read(lambda _: definition_rows.families(request.family_prefix, active, after, page.fetch))
    shown, token = page.cut(rows, lambda name: (name,))
    return registry_service_pb2.ListTaskDefinitionFamiliesResponse(families=shown, next_token=token or None)


async def deregister(
    database: Database, place: arns.Place, request: registry_service_pb2.DeregisterTaskDefinitionRequest
) -> registry_service_pb2.DeregisterTaskDefinitionResponse:
    """DeregisterTaskDefinition. A revision that is INACTIVE already is answered as it is."""
    key = _revision(request.task_definition, place)
    row = await database.run(lambda dialect: definition_rows.deregister(dialect, key))
    if row is None:
        raise _unknown(request.task_definition)
    if row.status == task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS:
        raise errors.ClientException(
            "The specified task definition is in DELETE_IN_PROGRESS status.",
            task_definition=f"{key.family}:{key.revision}",
        )
    return registry_service_pb2.DeregisterTaskDefinitionResponse(task_definition=views.definition(row, place))


async def delete(
    database: Database,
    place: arns.Place,
    request: registry_service_pb2.DeleteTaskDefinitionsRequest,
    *,
    requested: Callable[[], None],
) -> registry_service_pb2.DeleteTaskDefinitionsResponse:
    """DeleteTaskDefinitions: INACTIVE ones become DELETE_IN_PROGRESS; `requested` is then called, to have them removed."""
    if not 1 <= len(request.task_definitions) <= MAX_DELETED:
        raise errors.InvalidParameterException(
            f"taskDefinitions has {len(request.task_definitions)} items; it must have between 1 and {MAX_DELETED}."
        )
    keys = list(dict.fromkeys(_revision(text, place) for text in request.task_definitions))
    found = await database.run(lambda dialect: definition_rows.request_deletion(dialect, keys))
    answer = registry_service_pb2.DeleteTaskDefinitionsResponse()
    for key in keys:
        row = found.get(key)
        if row is None or row.active:
            reason = _NOT_THERE if row is None else _STILL_ACTIVE
            answer.failures.append(
                common_pb2.Failure(arn=place.task_definition(key.family, key.revision), reason=reason)
            )
        else:
            answer.task_definitions.append(views.definition(row, place))
    if answer.task_definitions:
        requested()
    return answer


def _named(text: str, place: arns.Place) -> arns.Reference:
    if not text:
        raise errors.ClientException("Task definition can not be blank.")
    return arns.task_definition(text, place=place)


def _revision(text: str, place: arns.Place) -> Key:
    named = _named(text, place)
    if named.revision is None:
        raise errors.ClientException(
            f"Revision is missing: {named.name} names a family; name one revision, as in {named.name}:1.",
            family=named.name,
        )
    return Key(named.name, named.revision)


def _unknown(text: str) -> errors.ClientException:
    return errors.ClientException("Unable to describe task definition.", task_definition=text)
