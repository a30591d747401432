"""What the registry is told of its seal key."""

import pytest

from longshore.registry.config import Config
from longshore.rpc import settings


def _parsed(**variables: str) -> Config:
    return settings.parse(Config, [], {f"LONGSHORE_{name.upper()}": value for name, value in variables.items()})


@pytest.mark.parametrize("url", ["postgresql://db/x", "postgres://db/x"])
def test_with_postgresql_a_seal_key_is_required_and_the_command_that_makes_one_is_told(url: str) -> None:
    with pytest.raises(settings.SettingsError) as caught:
        _parsed(database_url=url)

    (fault,) = caught.value.faults
    assert fault.startswith("LONGSHORE_SEAL_KEY_FILE (or --seal-key-file) is required with PostgreSQL")
    assert "`longshore seal-key FILE`" in fault
    assert _parsed(database_url=url, seal_key_file="/keys/seal").seal_key_file is not None


def test_a_registry_of_its_own_needs_none_until_there_is_an_access_key() -> None:
    assert _parsed(database_url="sqlite:///x").seal_key_file is None


def test_a_file_to_make_needs_a_name() -> None:
    with pytest.raises(settings.SettingsError, match="LONGSHORE_MAKE_SEAL_KEY needs LONGSHORE_SEAL_KEY_FILE"):
        _parsed(database_url="sqlite:///x", make_seal_key="true")
