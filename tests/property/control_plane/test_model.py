"""Leadership, commit and assignment as a model: no order of statements, messages, losses and failovers breaks a rule of DESIGN section 6.

docs/design/model.md says what is in it, which rules it checks, and which of them are taken away below to see that it can fail.
"""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.property.control_plane import actions, endings, rules, worlds

_STEPS = 300
_WALKS = 50
_SOUGHT = 1500
"""Walks within which each mutation must be found; none takes a third of it."""


class ControlPlane(RuleBasedStateMachine):
    """Anything that may happen, in any order; then nothing goes wrong any more, and everything comes to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.world = worlds.World()

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        for _ in range(5):
            actions.act(self.world, lambda count: data.draw(st.integers(0, count - 1)))

    def teardown(self) -> None:
        endings.settle(self.world)


TestControlPlane = ControlPlane.TestCase
TestControlPlane.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("seed", range(_WALKS))
def test_a_long_history_by_chance_breaks_nothing(seed: int) -> None:
    assert actions.walk(rules.Rules(), seed, _STEPS) == ""


@pytest.mark.parametrize("taken", [field.name for field in dataclasses.fields(rules.Rules)])
def test_without_any_one_of_its_rules_the_protocol_is_found_to_fail(taken: str) -> None:
    broken = dataclasses.replace(rules.Rules(), **{taken: False})
    assert any(actions.walk(broken, seed, _STEPS) for seed in range(_SOUGHT))


def test_much_happens_in_a_walk() -> None:
    """A model in which nothing comes about would pass everything."""
    seen = {"placed": 0, "stopping": 0, "released": 0, "connected": 0, "disconnected": 0}
    starts = epochs = given_up = 0
    for seed in range(20):
        world = actions.walked(rules.Rules(), seed, _STEPS)
        rows = world.database.rows
        for key, row in rows.items():
            if key[0] == "event" and row.kind in seen:
                seen[row.kind] += 1
            given_up += key[0] == "instance" and row.given_up
        starts += sum(len(agent.starts) for agent in world.agents)
        epochs += rows["lease",].epoch if ("lease",) in rows else 0
    assert min(seen.values()) >= 20
    assert starts >= 60
    assert epochs >= 40
    assert given_up > 0
