"""Terraform drives a stack by `examples/terraform` as it stands: applied, nothing to do, changed, nothing to do, destroyed.

One story, for the provider takes seconds to start for each command, and waits ten more behind each change of a cluster.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import machines, stacks
from tests.e2e.tools import aws, terraform

EXAMPLE = Path(__file__).parents[3] / "examples/terraform"
NAME = "terraform-tour"
REGION = "eu-central-1"
CHANGED = {
    "team": "quay",
    "container_insights": "disabled",
    "greeting": "ahoy",
    "capacity_providers": '["FARGATE", "FARGATE_SPOT"]',
}

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


def cluster(ecs: Any, name: str = NAME) -> dict[str, Any]:
    """What matters of a cluster."""
    (found,) = ecs.describe_clusters(clusters=[name], include=["SETTINGS", "TAGS"])["clusters"]
    return {
        "arn": found["clusterArn"],
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


def test_the_example_is_applied_changed_and_destroyed(machine: machines.Machine, tmp_path: Path) -> None:
    """With an access key, from another region than the deployment's own, which sees the same things under its own ARNs."""
    terraform.mirror()
    machine.command("up", "--detach", "--no-agent")
    key = aws.access_key(machine, "terraform", "admin")
    ecs = aws.client_at(machine.gateway, key)
    work = terraform.Workspace(
        EXAMPLE,
        tmp_path / "workspace",
        machine,
        endpoint=machine.gateway,
        region=REGION,
        access_key=key.access_key_id,
        secret_key=key.secret_access_key,
    )

    work.apply()
    assert work.outputs()["cluster"] == f"arn:aws:ecs:{REGION}:123456789012:cluster/{NAME}"
    assert cluster(ecs) == {
        "arn": f"arn:aws:ecs:{stacks.REGION}:123456789012:cluster/{NAME}",
        "status": "ACTIVE",
        "settings": {"containerInsights": "enabled"},
        "tags": {"team": "harbour"},
        "capacityProviders": [],
    }
    assert definition(ecs, f"{NAME}:1") == {
        "status": "ACTIVE",
        "environment": {"GREETING": "It works", "EMPTY": ""},
        "tags": {"team": "harbour"},
    }
    assert cluster(ecs, "default")["tags"] == {"managed-by": "terraform"}
    assert default_setting(ecs) == "enabled"
    assert work.planned() == ""

    work.apply(**CHANGED)
    assert cluster(ecs) == {
        "arn": f"arn:aws:ecs:{stacks.REGION}:123456789012:cluster/{NAME}",
        "status": "ACTIVE",
        "settings": {"containerInsights": "disabled"},
        "tags": {"team": "quay"},
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
    }
    assert definition(ecs, NAME) == {
        "status": "ACTIVE",
        "environment": {"GREETING": "ahoy", "EMPTY": ""},
        "tags": {"team": "quay"},
    }
    assert definition(ecs, f"{NAME}:1")["status"] == "INACTIVE"
    assert work.outputs()["task_definition"] == f"{NAME}:2"
    assert work.planned() == ""

    work.destroy()
    assert work.left() == []
    assert cluster(ecs)["status"] == "INACTIVE"
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert cluster(ecs, "default")["tags"] == {}
    assert default_setting(ecs) == "disabled"


def test_what_the_provider_needs_is_in_the_guide() -> None:
    """The guide shows the example's provider settings as they are."""
    guide = (EXAMPLE.parents[1] / "docs/guides/terraform.md").read_text()
    settings = re.sub(r"(?m)^ *#.*\n| +#.*$", "", (EXAMPLE / "provider.tf").read_text())
    for line in filter(None, settings.splitlines()):
        assert re.sub(r"\s+", " ", line) in re.sub(r"\s+", " ", guide), line
