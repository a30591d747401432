"""The lock that keeps a second process off an SQLite database.

SQLite itself would let two control planes take turns on one file, each with caches and leases that assume it is alone.
"""

import errno
import fcntl
import os
from pathlib import Path

from longshore.storage import errors


class StateLock:
    """An exclusive lock on `<database>.lock`, which holds the holder's pid. The kernel releases it with the process."""

    def __init__(self, database: Path) -> None:
        """Take the lock, or raise StateInUse."""
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._holder()
            os.close(self._descriptor)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise errors.StateInUse(str(database), holder) from None
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _holder(self) -> int | None:
        text = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else None

    def release(self) -> None:
        """Let the next one in. The file stays: removing it would let two processes lock two files of one name."""
        os.close(self._descriptor)
