"""Terraform drives a stack by `examples/terraform` as it stands: applied, nothing to do, changed, nothing to do, destroyed.

The provider takes seconds to start and waits ten more behind each change of a cluster, so the two stories go at the same time.
"""

import concurrent.futures
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import stacks
from tests.e2e.tools import aws, terraform

EXAMPLE = Path(__file__).parents[3] / "examples/terraform"
CHANGED = {
    "team": "quay",
    "container_insights": "disabled",
    "greeting": "ahoy",
    "capacity_providers": '["FARGATE", "FARGATE_SPOT"]',
}

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


def cluster(ecs: Any, name: str) -> dict[str, Any]:
    """What matters of a cluster."""
    (found,) = ecs.describe_clusters(clusters=[name], include=["SETTINGS", "TAGS"])["clusters"]
    return {
        "status": found["status"],
        "settings": {setting["name"]: setting["value"] for setting in found["settings"]},
        "tags": {tag["key"]: tag["value"] for tag in found["tags"]},
        "capacityProviders": sorted(found["capacityProviders"]),
    }


def definition(ecs: Any, name: str) -> dict[str, Any]:
    """What matters of a revision."""
    answer = ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
    web = next(one for one in answer["taskDefinition"]["containerDefinitions"] if one["name"] == "web")
    return {
        "status": answer["taskDefinition"]["status"],
        "environment": {pair["name"]: pair["value"] for pair in web["environment"]},
        "tags": {tag["key"]: tag["value"] for tag in answer["tags"]},
    }


def default_setting(ecs: Any) -> str:
    """What holds for a principal without a setting of its own."""
    (found,) = ecs.list_account_settings(name="containerInsights", effectiveSettings=True)["settings"]
    return str(found["value"])


def with_changes(stack: stacks.Stack, folder: Path) -> None:
    """Where signatures are verified: with an access key of the stack."""
    ecs = aws.client(stack)
    key = {"access_key": stack.credentials.access_key_id, "secret_key": stack.credentials.secret_access_key}
    work = terraform.Workspace(EXAMPLE, folder, stack, endpoint=stack.gateway, name="tf-changing", **key)
    work.apply()
    assert cluster(ecs, "tf-changing") == {
        "status": "ACTIVE",
        "settings": {"containerInsights": "enabled"},
        "tags": {"team": "harbour"},
        "capacityProviders": [],
    }
    expected = {"status": "ACTIVE", "environment": {"GREETING": "It works", "EMPTY": ""}, "tags": {"team": "harbour"}}
    assert definition(ecs, "tf-changing:1") == expected
    assert cluster(ecs, "default")["tags"]["managed-by"] == "terraform"
    assert default_setting(ecs) == "enabled"
    assert work.planned() == ""

    work.apply(**CHANGED)
    assert cluster(ecs, "tf-changing") == {
        "status": "ACTIVE",
        "settings": {"containerInsights": "disabled"},
        "tags": {"team": "quay"},
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
    }
    changed = {"status": "ACTIVE", "environment": {"GREETING": "ahoy", "EMPTY": ""}, "tags": {"team": "quay"}}
    assert definition(ecs, "tf-changing") == changed
    assert definition(ecs, "tf-changing:1")["status"] == "INACTIVE"
    assert work.outputs()["task_definition"] == "tf-changing:2"
    assert work.planned() == ""

    work.destroy()
    assert work.left() == []
    assert cluster(ecs, "tf-changing")["status"] == "INACTIVE"
    assert ecs.list_task_definitions(familyPrefix="tf-changing")["taskDefinitionArns"] == []
    assert "managed-by" not in cluster(ecs, "default")["tags"]
    assert default_setting(ecs) == "disabled"


def in_another_region(stack: stacks.Stack, folder: Path) -> None:
    """The provider of one region on a stack of another: what it reads is what it wrote."""
    work = terraform.Workspace(EXAMPLE, folder, stack, endpoint=stack.gateway, name="tf-abroad", region="eu-central-1")
    work.apply()
    assert work.outputs()["cluster"] == "arn:aws:ecs:eu-central-1:123456789012:cluster/tf-abroad"
    at_home = aws.client(stack).describe_clusters(clusters=["tf-abroad"])["clusters"]
    assert [found["clusterArn"] for found in at_home] == ["arn:aws:ecs:us-east-1:123456789012:cluster/tf-abroad"]
    assert work.planned() == ""
    work.destroy()
    assert work.left() == []
    assert cluster(aws.client(stack), "tf-abroad")["status"] == "INACTIVE"


def test_the_configuration_is_applied_changed_and_destroyed(
    distributed: stacks.Stack, embedded: stacks.Stack, tmp_path: Path
) -> None:
    """On a distributed stack with all changes, on an embedded one in another region than its own."""
    terraform.mirror()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stories = [
            pool.submit(with_changes, distributed, tmp_path / "changing"),
            pool.submit(in_another_region, embedded, tmp_path / "abroad"),
        ]
        for story in stories:
            story.result()


def test_what_the_provider_needs_is_in_the_guide() -> None:
    """The guide shows the example's provider settings as they are."""
    guide = (EXAMPLE.parents[1] / "docs/guides/terraform.md").read_text()
    settings = re.sub(r"(?m)^ *#.*\n| +#.*$", "", (EXAMPLE / "provider.tf").read_text())
    for line in filter(None, settings.splitlines()):
        assert re.sub(r"\s+", " ", line) in re.sub(r"\s+", " ", guide), line
