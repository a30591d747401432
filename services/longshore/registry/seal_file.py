"""The file of seal keys: read with suspicion, made without ever standing open or half written.

Blocking; from the event loop it is called in a thread.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from longshore.registry import sealing

LONGEST = 4_096
"""Bytes of the file that are read: dozens of keys, and not a device or a disk image that was named by mistake."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read(path: Path) -> tuple[sealing.SealKey, ...]:
    """The seal keys of a file. Raises SealKeyError where it cannot be read, others could read it, or it holds something else."""
    try:
        # Not blocking: a pipe that nobody writes would otherwise hold us here.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SealFileError(path, f"cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise SealFileError(path, "is no file")
        if mode & _OTHERS:
            raise SealFileError(path, f"has mode {stat.S_IMODE(mode):04o}: others can get at it; `chmod 600` it")
        content = os.read(descriptor, LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LONGEST:
        raise SealFileError(path, f"is longer than {LONGEST} bytes: no file of seal keys")
    try:
        return sealing.parse(content.decode("ascii", "replace"))
    except sealing.SealKeyError as error:
        raise SealFileError(path, f"is no file of seal keys: {error}") from None


class SealFileError(sealing.SealKeyError):
    """The file of seal keys is not usable."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"the seal key's file {path} {fault}")
        self.fault = fault
        """What is wrong, without the path: for callers elsewhere, whom our folders do not concern."""


def make(path: Path) -> None:
    """Make the file, mode 0600, with one new key. Raises FileExistsError rather than lose a key, OSError where it cannot be written.

    It is written beside its place and linked there, so that it is whole or not there at all, also after a crash.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(sealing.render(secrets.token_bytes(sealing.KEY_BYTES)))
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last: a sealed secret must not survive a crash that its key does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
