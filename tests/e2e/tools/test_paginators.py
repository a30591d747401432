"""Every paginator of boto3 whose operation is there: pages put together are the whole list."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore
import pytest

from tests.e2e.tools import aws, families

pytestmark = [pytest.mark.timeout(110)]


def clusters_to_list(ecs: Any, family: str) -> dict[str, Any]:
    for number in range(3):
        ecs.create_cluster(clusterName=f"{family}-{number}")
    return {}


def families_to_list(ecs: Any, family: str) -> dict[str, Any]:
    for number in range(3):
        families.register(ecs, f"{family}-{number}")
    return {"familyPrefix": family}


def definitions_to_list(ecs: Any, family: str) -> dict[str, Any]:
    for _ in range(3):
        families.register(ecs, family)
    return {"familyPrefix": family}


def tasks_to_list(ecs: Any, family: str) -> dict[str, Any]:
    arn = families.register(ecs, family)
    answer = ecs.run_task(taskDefinition=arn, count=3)
    assert not answer["failures"], answer["failures"]
    return {"family": family}


def instances_to_list(ecs: Any, family: str) -> dict[str, Any]:
    ecs.create_cluster(clusterName=f"{family}-0")
    resources = [
        {"name": "CPU", "type": "INTEGER", "integerValue": 64},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 64},
    ]
    for _ in range(3):
        ecs.register_container_instance(cluster=f"{family}-0", totalResources=resources)
    return {"cluster": f"{family}-0"}


def attributes_to_list(ecs: Any, family: str) -> dict[str, Any]:
    asked = instances_to_list(ecs, family)
    for arn in ecs.list_container_instances(**asked)["containerInstanceArns"]:
        attribute = {"name": "rack", "value": "7", "targetType": "container-instance", "targetId": arn}
        ecs.put_attributes(attributes=[attribute], **asked)
    return {"targetType": "container-instance", "attributeName": "rack", **asked}


def settings_to_list(ecs: Any, family: str) -> dict[str, Any]:
    return {"effectiveSettings": True}


PAGINATED: dict[str, tuple[Callable[[Any, str], dict[str, Any]], str]] = {
    "ListAccountSettings": (settings_to_list, "settings"),
    "ListAttributes": (attributes_to_list, "attributes"),
    "ListClusters": (clusters_to_list, "clusterArns"),
    "ListContainerInstances": (instances_to_list, "containerInstanceArns"),
    "ListTaskDefinitionFamilies": (families_to_list, "families"),
    "ListTaskDefinitions": (definitions_to_list, "taskDefinitionArns"),
    "ListTasks": (tasks_to_list, "taskArns"),
}
"""What makes at least three of what an operation lists, and the member that lists them."""


@pytest.fixture
def leftovers(ecs: Any, family: str) -> Iterator[None]:
    """What the paginators' tests make beside one family is removed."""
    yield
    for number in range(3):
        families.remove(ecs, f"{family}-{number}")
        cluster = f"{family}-{number}"
        if ecs.describe_clusters(clusters=[cluster])["clusters"]:
            for arn in ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]:
                ecs.deregister_container_instance(cluster=cluster, containerInstance=arn, force=True)
            ecs.delete_cluster(cluster=cluster)


@pytest.mark.parametrize("operation", sorted(PAGINATED))
def test_pages_put_together_are_the_whole_list(ecs: Any, family: str, leftovers: None, operation: str) -> None:
    """In pages of two, in pages of one, and at once: the same things in the same order, and more pages than one."""
    prepare, member = PAGINATED[operation]
    asked = prepare(ecs, family)
    paginator = ecs.get_paginator(botocore.xform_name(operation))
    whole = [item for page in paginator.paginate(**asked) for item in page[member]]
    assert len(whole) >= 3
    for size in (1, 2):
        pages = [page[member] for page in paginator.paginate(**asked, PaginationConfig={"PageSize": size})]
        assert [item for page in pages for item in page] == whole
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert len(pages) >= -(-len(whole) // size)


def test_every_paginator_of_the_model_is_tried(ecs: Any) -> None:
    """Whoever adds an operation that pages adds what makes its items here."""
    known = {name for name in aws.offered() if ecs.can_paginate(botocore.xform_name(name))}
    assert known == PAGINATED.keys()
