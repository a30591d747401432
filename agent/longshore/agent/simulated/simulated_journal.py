"""What a fleet's containers did, one JSON object a line, in the order in which it happened: the truth that a judge holds reports against."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from longshore.agent import container_names

News = Callable[[str, Mapping[str, Any], str, int | None], None]
"""Is told what a container did (`start`, `die`, `destroy`), its labels, the engine's id of it, and its exit code where it has one."""


def unheard(action: str, labels: Mapping[str, Any], runtime_id: str, code: int | None) -> None:
    """Nobody writes it down."""
    del action, labels, runtime_id, code


class Journal:
    """A file that every host of a fleet writes to."""

    def __init__(self, path: Path) -> None:
        # By lines: whoever reads after this process was killed finds all that had happened.
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def of(self, host: str) -> News:
        """What one host's engine tells its news to."""

        def tell(action: str, labels: Mapping[str, Any], runtime_id: str, code: int | None) -> None:
            record = {
                "host": host,
                "what": action,
                "task": labels.get(container_names.TASK_ID, ""),
                "container": labels.get(container_names.CONTAINER, ""),
                "instance": labels.get(container_names.INSTANCE, ""),
                "runtime_id": runtime_id,
            }
            self._file.write(json.dumps(record if code is None else record | {"code": code}) + "\n")

        return tell

    def close(self) -> None:
        """Close the file."""
        self._file.close()
