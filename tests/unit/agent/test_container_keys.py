"""Ids of containers' metadata: the same every time, and nobody else's."""

from longshore.agent import container_keys


def test_an_id_depends_on_credential_task_and_container_and_on_nothing_else() -> None:
    keys = container_keys.Keys("secret")
    found = keys.of("a" * 32, "app")
    assert found == container_keys.Keys("secret").of("a" * 32, "app")
    others = {keys.of("a" * 32, "db"), keys.of("b" * 32, "app"), container_keys.Keys("other").of("a" * 32, "app")}
    assert len({found} | others) == 4
    assert len(found) * 4 >= 128
    assert int(found, 16)
