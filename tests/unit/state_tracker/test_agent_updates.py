"""Whether an agent is older than the release, and what its operator is told."""

import pytest

from longshore.rpc import errors
from longshore.state_tracker import agent_updates


@pytest.mark.parametrize(
    "version", ["0.4.0", "0.4", "v0.4.0", "0.4.1", "1.0.0", "0.10.0", "0.4.0.post1", "0.4.0+build"]
)
def test_an_agent_as_new_as_the_release_has_no_update(version: str) -> None:
    refusal = agent_updates.refusal("i", version, "0.4.0")
    assert isinstance(refusal, errors.NoUpdateAvailableException)
    assert version in refusal.message


@pytest.mark.parametrize("version", ["0.3.9", "0.3", "0.4.0rc1", "0.4.dev7", "0.0.1"])
def test_an_older_agent_is_updated_by_hand(version: str) -> None:
    refusal = agent_updates.refusal("i", version, "0.4.0")
    assert type(refusal) is errors.ClientException
    assert version in refusal.message
    assert "0.4.0" in refusal.message


@pytest.mark.parametrize("version", ["", "unknown", "latest", "9" * 5000])
def test_a_version_that_cannot_be_compared_is_missing(version: str) -> None:
    refusal = agent_updates.refusal("i", version, "0.4.0")
    assert isinstance(refusal, errors.MissingVersionException)
    assert len(refusal.message) < 300
