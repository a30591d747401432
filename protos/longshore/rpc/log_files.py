"""A log file that is rotated by size, and found again where somebody else has moved or removed it."""

import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Any

MODE = 0o640
"""Logs hold no secrets, but names of everything that runs."""


class RotatingFile(logging.handlers.RotatingFileHandler):
    """Writes to a file. Its folder is made. Raises OSError where it cannot be opened.

    What cannot be written later, as on a full disk, is told to standard error once and does not hold up the process; writing
    is tried again with each record.
    """

    def __init__(self, path: Path, *, limit: int, kept: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._failed = self._told = False
        super().__init__(path, maxBytes=limit, backupCount=max(kept, 1), encoding="utf-8")
        self._kept = kept

    def _open(self) -> Any:  # io.TextIOWrapper, which logging's types call otherwise in each version
        os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE))
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, to a new file if the one that was open is no longer under its name (logrotate, a person)."""
        self._failed = False
        try:
            self._reopen_if_gone()
            super().emit(record)
        except OSError:
            self.handleError(record)
        self._told = self._failed

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file; where none is to be kept, the old one goes."""
        super().doRollover()
        if self._kept == 0:
            Path(f"{self.baseFilename}.1").unlink(missing_ok=True)

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Called while the error is being handled."""
        if not self._told:
            sys.stderr.write(f"the log {self.baseFilename} cannot be written: {sys.exc_info()[1]}\n")
        self._failed = self._told = True

    def _reopen_if_gone(self) -> None:
        if self.stream is None:
            return
        try:
            there = Path(self.baseFilename).stat()
        except FileNotFoundError:
            there = None
        ours = os.fstat(self.stream.fileno())
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            self.stream.close()
            self.stream = None  # logging opens it again when there is none
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            self.stream = self._open()
