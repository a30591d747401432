"""Answers are what ECS's model says, and hold all that docs/conformance.md says they hold."""

from collections import Counter
from typing import Any

import pytest

from tests.conformance import answers, contract, tour, world

pytestmark = pytest.mark.timeout(180)
"""The fixture makes a hundred calls and more, on a machine that may be busy."""

REFUSING = {
    "SubmitAttachmentStateChanges": "there is no attachment to report",
    "UpdateContainerAgent": "it always says how to update by hand",
}
"""Operations that can only answer with a refusal here."""

UNSEEN = frozenset(
    {
        "ContainerOverride.environmentFiles",
    }
)
"""Overrides that a task shows, where it is placed; none that has them is."""


@pytest.fixture(scope="module")
def toured(stack: world.World, tmp_path_factory: pytest.TempPathFactory) -> answers.Seen:
    """What the tour sees of every operation: itself alone, whatever other tests have seen of the shared stack before."""
    stack.seen.answers.clear()
    stack.seen.members.clear()
    tour.take(stack, tmp_path_factory.mktemp("toured"))
    return stack.seen


def test_every_operation_answers(toured: answers.Seen) -> None:
    assert set(contract.offered()) - toured.answers.keys() - REFUSING.keys() == set()


def test_everything_that_is_said_to_be_filled_is_seen(toured: answers.Seen) -> None:
    """By structure and member, wherever it was seen. What is said to be never filled would have been refused as it came."""
    seen: Counter[str] = Counter()
    wanted: set[str] = set()
    for operation in contract.offered():
        if operation in REFUSING:
            continue
        for member in contract.members(operation):
            if member.in_request or member.handling == contract.UNFILLED:
                continue
            wanted.add(f"{member.structure}.{member.name}")
            seen[f"{member.structure}.{member.name}"] += toured.members[operation, member.path]
    unseen = sorted(name for name in wanted if not seen[name] and name not in UNSEEN)
    assert not unseen, f"never seen: {unseen}"
    assert not {name for name in UNSEEN if seen[name]}


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"clusters": [{"clusterNme": "a"}]}, ".clusters[0].clusterNme: not in Cluster"),
        ({"clusters": [{"clusterName": None}]}, ".clusters[0].clusterName: null for a string"),
        ({"clusters": [{"runningTasksCount": "1"}]}, ".clusters[0].runningTasksCount: a str for a integer"),
        ({"clusters": [{"runningTasksCount": True}]}, ".clusters[0].runningTasksCount: a bool for a integer"),
        ({"clusters": [{"runningTasksCount": 2**31}]}, ".clusters[0].runningTasksCount: 2147483648 is beyond 32 bits"),
        ({"clusters": {}}, ".clusters: a dict for a list"),
        (
            {"clusters": [{"configuration": {"executeCommandConfiguration": {"logging": "SOME"}}}]},
            ".clusters[0].configuration.executeCommandConfiguration.logging: 'SOME' is no ExecuteCommandLogging",
        ),
        ({"clusters": [{"defaultCapacityProviderStrategy": [{}]}]}, "capacityProvider: missing"),
    ],
)
def test_the_check_of_answers_finds_what_is_wrong(document: Any, fault: str) -> None:
    shape = contract.ecs().operation_model("DescribeClusters").output_shape
    found = list(answers.faults(shape, document))
    assert len(found) == 1
    assert found[0].endswith(fault)
