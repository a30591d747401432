"""The unguessable ids under which containers find their metadata. Pure.

An id is a keyed hash of task and container; the key is made of the instance's credential, which is random, secret and kept in the state
file. So an id is the same after every restart of the agent without being written down anywhere, and nobody can work out another's.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Task = TypeVar("Task")

_PURPOSE = b"task metadata"
_DIGITS = 40
"""160 bits: more than anybody can try."""


class Keys:
    """The ids of one identity's containers."""

    def __init__(self, credential: str) -> None:
        self._key = hmac.digest(credential.encode(), _PURPOSE, hashlib.sha256)

    def of(self, task_id: str, container: str) -> str:
        """The id of a container."""
        return hmac.new(self._key, f"{task_id}/{container}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]


class Index:
    """Containers by their ids. Each id is reckoned once, however many ids that nobody has are asked for."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._found: dict[str, tuple[str, str]] = {}
        self._ids: dict[str, tuple[str, ...]] = {}

    def find(
        self, key: str, tasks: Mapping[str, Task], containers: Callable[[Task], Iterable[str]]
    ) -> tuple[Task, str] | None:
        """The task, of those that are here, and the name of its container that have this id."""
        if key not in self._found:
            self._catch_up(tasks, containers)
        task_id, container = self._found.get(key, ("", ""))
        task = tasks.get(task_id)
        return None if task is None else (task, container)

    def _catch_up(self, tasks: Mapping[str, Task], containers: Callable[[Task], Iterable[str]]) -> None:
        for task_id in self._ids.keys() - tasks.keys():
            for key in self._ids.pop(task_id):
                del self._found[key]
        for task_id in tasks.keys() - self._ids.keys():
            named = {self._keys.of(task_id, name): (task_id, name) for name in containers(tasks[task_id])}
            self._found |= named
            self._ids[task_id] = tuple(named)
