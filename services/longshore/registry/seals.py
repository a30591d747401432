"""The seal keys that a registry works with, and what is told where they are not usable.

The file is read whenever it is needed and never kept: it is the truth, it is short, and gateways keep what they were answered.
"""

import asyncio
from pathlib import Path

import structlog

from longshore.registry import seal_file, sealing
from longshore.rpc import errors

_log = structlog.get_logger(__name__)

SETTING = "LONGSHORE_SEAL_KEY_FILE"
HOW = "`longshore seal-key FILE` makes one"


class Seals:
    """A registry's file of seal keys."""

    def __init__(self, path: Path | None, *, make: bool) -> None:
        """`make`: the file is made at the first secret that is to be sealed, where it is not there."""
        self._path = path
        self._make = make

    async def check(self) -> None:
        """Raise SealKeyError where the file is not usable: at the start, so that it is not found out by a user."""
        if self._path is not None and not self._make:
            await asyncio.to_thread(seal_file.read, self._path)

    async def make(self) -> None:
        """Make the file where there is none and this registry is the one to make it."""
        if self._path is None or not self._make:
            return
        try:
            await asyncio.to_thread(seal_file.make, self._path)
        except FileExistsError:
            return
        except OSError as error:
            raise self._refused(f"cannot be made: {error.strerror}") from None
        _log.info("seal_key_made", path=str(self._path))

    async def keys(self) -> tuple[sealing.SealKey, ...]:
        """The seal keys. Raises ServerException where there are none."""
        if self._path is None:
            raise errors.ServerException(
                f"The registry has no seal key, under which the secrets of access keys are kept: start it with {SETTING};"
                f" {HOW}."
            )
        try:
            return await asyncio.to_thread(seal_file.read, self._path)
        except seal_file.SealFileError as error:
            raise self._refused(error.fault) from None

    def _refused(self, fault: str) -> errors.ServerException:
        # The path goes to the log alone: the caller may be anybody who signs a request.
        _log.error("seal_key_refused", path=str(self._path), fault=fault)
        return errors.ServerException(f"The registry's seal key ({SETTING}) {fault}.")
