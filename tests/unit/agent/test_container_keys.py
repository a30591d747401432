"""Ids of containers' metadata: the same every time, and nobody else's."""

import pytest

from longshore.agent.metadata import container_keys


def test_an_id_depends_on_credential_task_and_container_and_on_nothing_else() -> None:
    keys = container_keys.Keys("secret")
    found = keys.of("a" * 32, "app")
    assert found == container_keys.Keys("secret").of("a" * 32, "app")
    others = {keys.of("a" * 32, "db"), keys.of("b" * 32, "app"), container_keys.Keys("other").of("a" * 32, "app")}
    assert len({found} | others) == 4
    assert len(found) * 4 >= 128
    assert int(found, 16)


def test_ids_that_nobody_has_cost_no_reckoning_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reckoned = []
    of = container_keys.Keys.of

    def counted(keys: container_keys.Keys, task_id: str, container: str) -> str:
        reckoned.append((task_id, container))
        return of(keys, task_id, container)

    monkeypatch.setattr(container_keys.Keys, "of", counted)
    keys = container_keys.Keys("secret")
    index = container_keys.Index(keys)
    tasks: dict[str, tuple[str, ...]] = {f"{number:032x}": ("app", "db") for number in range(100)}
    for number in range(50):
        assert index.find(f"{number:040x}", tasks, tuple) is None
    assert len(reckoned) == 200
    task_id = next(iter(tasks))
    key = of(keys, task_id, "db")
    assert index.find(key, tasks, tuple) == (tasks[task_id], "db")
    del tasks[task_id]
    assert index.find(key, tasks, tuple) is None
    tasks["f" * 32] = ("late",)
    assert index.find(of(keys, "f" * 32, "late"), tasks, tuple) == (("late",), "late")
    assert len(reckoned) == 201
