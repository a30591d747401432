"""A small file system of the drill's, in a file that is mounted, which can be filled to its last block and freed again."""

import contextlib
import os
from pathlib import Path

from longshore.drill import programs

_FILLER = "filler"
_BLOCK = 4096


class Disk:
    """Mounted at `path` between `mount` and `unmount`."""

    def __init__(self, image: Path, path: Path, mebibytes: int) -> None:
        self.path = path
        self._image = image
        self._mebibytes = mebibytes

    async def mount(self) -> None:
        """Make the file system and mount it."""
        with self._image.open("wb") as image:
            image.truncate(self._mebibytes * 1024 * 1024)
        # No blocks are kept for root, which everything here is.
        await programs.call("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self.path.mkdir()
        await programs.call("mount", "-o", "loop", str(self._image), str(self.path))
        (self.path / "lost+found").rmdir()

    async def unmount(self) -> None:
        """Undo it, whatever is still mounted below."""
        for mount in reversed(mounts(self.path)):
            with contextlib.suppress(programs.Failed):
                await programs.call("umount", "--lazy", mount)
        self._image.unlink(missing_ok=True)

    def fill(self) -> int:
        """Take every free block; how many bytes that were."""
        taken = 0
        with (self.path / _FILLER).open("ab") as filler:
            size = 64 * 1024 * 1024
            while size >= _BLOCK:
                try:
                    os.posix_fallocate(filler.fileno(), taken, size)
                except OSError:
                    # It may have taken a part before it failed.
                    taken = max(taken, os.fstat(filler.fileno()).st_size)
                    size //= 2
                else:
                    taken += size
        return taken

    def free(self) -> None:
        """Give them back."""
        (self.path / _FILLER).unlink(missing_ok=True)


def mounts(below: Path) -> list[str]:
    """What is mounted at a folder or below it, in the order in which it was."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if Path(point).is_relative_to(below)]
