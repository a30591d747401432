"""Everything that a drill did and saw, one JSON object a line, in the order in which it happened.

A record has `at` (seconds since the drill began) and `what`; the rest depends on it. The judgement reads nothing but this.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Journal:
    """Writes the records down as they come, and keeps them."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.records: list[Record] = []
        self._clock = clock
        self._began = clock()
        self._file = path.open("w", encoding="utf-8")

    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self._clock() - self._began, 3)

    def write(self, what: str, **values: Any) -> float:
        """Add a record; when that was."""
        at = self.now()
        record = {"at": at, "what": what, **values}
        self.records.append(record)
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()  # whoever watches, or finds it after a kill, finds it whole
        return at

    def close(self) -> None:
        """Close the file."""
        self._file.close()
