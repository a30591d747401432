"""Lists of task definitions and families over gRPC, on either engine."""

import base64

import pytest

from longshore.rpc import codec, errors
from longshore.v1 import record_pb2, registry_service_pb2
from tests.rpc.registry.world import ARN, Registry, deregister, register

messages = registry_service_pb2


async def _page(registry: Registry, **members: object) -> tuple[list[str], str]:
    answer = await registry.ListTaskDefinitions(codec.from_json(messages.ListTaskDefinitionsRequest, members))
    prefix = f"{ARN}:task-definition/"
    assert all(arn.startswith(prefix) for arn in answer.task_definition_arns)
    return [arn.removeprefix(prefix) for arn in answer.task_definition_arns], answer.next_token


async def _families(registry: Registry, **members: object) -> tuple[list[str], str]:
    request = codec.from_json(messages.ListTaskDefinitionFamiliesRequest, members)
    answer = await registry.ListTaskDefinitionFamilies(request)
    return list(answer.families), answer.next_token


async def test_definitions_are_listed_by_family_and_number(registry: Registry) -> None:
    await register(registry, "site", 11)
    await register(registry, "Site", 1)
    await register(registry, "api", 2)
    await deregister(registry, "site:4")

    numbers = [number for number in range(1, 12) if number != 4]
    ascending = ["Site:1", "api:1", "api:2", *(f"site:{number}" for number in numbers)]
    assert await _page(registry) == (ascending, "")
    assert await _page(registry, sort="DESC") == (ascending[::-1], "")
    assert await _page(registry, status="INACTIVE") == (["site:4"], "")
    assert await _page(registry, status="DELETE_IN_PROGRESS") == ([], "")


async def test_the_family_of_a_list_is_a_whole_name(registry: Registry) -> None:
    await register(registry, "site")
    await register(registry, "site-two")

    assert await _page(registry, familyPrefix="site") == (["site:1"], "")
    assert await _page(registry, familyPrefix="sit") == ([], "")
    assert await _page(registry, familyPrefix="\0") == ([], "")


@pytest.mark.parametrize("sort", ["ASC", "DESC"])
async def test_pages_stay_right_while_revisions_come_and_go(registry: Registry, sort: str) -> None:
    await register(registry, "b", 4)
    await register(registry, "d", 2)
    before, _ = await _page(registry, sort=sort)

    seen, token = await _page(registry, sort=sort, maxResults=2)
    while token:
        await register(registry, "a" if sort == "ASC" else "e", 1)  # always on the side that was read
        page, token = await _page(registry, sort=sort, maxResults=2, nextToken=token)
        seen += page

    assert seen == before


async def test_a_revision_made_behind_a_page_comes_with_a_later_one(registry: Registry) -> None:
    await register(registry, "a", 3)

    _, token = await _page(registry, maxResults=2)
    await register(registry, "a")
    rest, last = await _page(registry, maxResults=2, nextToken=token)

    assert (rest, last) == (["a:3", "a:4"], "")


async def test_a_token_belongs_to_its_own_request(registry: Registry) -> None:
    await register(registry, "a", 3)
    _, token = await _page(registry, maxResults=1)

    for members in ({"sort": "DESC"}, {"familyPrefix": "a"}, {"status": "INACTIVE"}):
        with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
            await _page(registry, nextToken=token, **members)
    with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
        await _families(registry, nextToken=token)
    with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
        await _page(registry, nextToken="made up")


def _tampered(token: str, *key: str) -> str:
    made = record_pb2.PageToken.FromString(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    made.last_key[:] = key
    return base64.urlsafe_b64encode(made.SerializeToString()).decode().rstrip("=")


async def test_a_token_that_was_tampered_with_is_the_callers_fault(registry: Registry) -> None:
    await register(registry, "a", 2)
    await register(registry, "b")
    _, token = await _page(registry, maxResults=1)
    _, of_families = await _families(registry, maxResults=1)

    for key in (("a", "9" * 40), ("a", "x"), ("\0", "1"), ("a",)):
        with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
            await _page(registry, nextToken=_tampered(token, *key))
    with pytest.raises(errors.InvalidParameterException, match="nextToken is not valid"):
        await _families(registry, nextToken=_tampered(of_families, "\0"))


async def test_a_status_that_is_none_is_the_callers_fault(registry: Registry) -> None:
    far = 100_000  # more than the column holds
    wire = b"\x10\xa0\x8d\x06"  # field 2 = 100000
    definitions = messages.ListTaskDefinitionsRequest.FromString(wire)
    families = messages.ListTaskDefinitionFamiliesRequest.FromString(wire)
    assert (int(definitions.status), int(families.status)) == (far, far)

    with pytest.raises(errors.InvalidParameterException, match="status is 100000"):
        await registry.ListTaskDefinitions(definitions)
    with pytest.raises(errors.InvalidParameterException, match="status is 100000"):
        await registry.ListTaskDefinitionFamilies(families)


async def test_families_are_listed_by_prefix_and_by_whether_they_are_in_use(registry: Registry) -> None:
    for family in ("api", "site", "site-two", "sitf", "Site"):
        await register(registry, family)
    await deregister(registry, "site-two:1")

    assert await _families(registry) == (["Site", "api", "site", "site-two", "sitf"], "")
    assert await _families(registry, familyPrefix="site") == (["site", "site-two"], "")
    assert await _families(registry, familyPrefix="site", status="ACTIVE") == (["site"], "")
    assert await _families(registry, status="INACTIVE") == (["site-two"], "")
    assert await _families(registry, status="ALL", familyPrefix="s") == (["site", "site-two", "sitf"], "")
    assert await _families(registry, familyPrefix="\0") == ([], "")


async def test_pages_of_families_stay_right_while_families_are_made(registry: Registry) -> None:
    for family in ("b", "d", "f"):
        await register(registry, family)

    first, token = await _families(registry, maxResults=2)
    for family in ("a", "e"):
        await register(registry, family)
    second, last = await _families(registry, maxResults=2, nextToken=token)

    assert (first, second, last) == (["b", "d"], ["e", "f"], "")
