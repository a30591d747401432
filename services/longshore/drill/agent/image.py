"""The image of a drill's tasks, made on the spot of the machine's busybox: no registry is needed."""

import functools
import io
import subprocess
import tarfile

from longshore.drill import programs
from longshore.drill.agent import kinds

NAME = kinds.IMAGE

OPTIONS = ("--change", "ENV PATH=/bin", "--change", 'CMD ["sh"]')
"""Of `docker import`."""

_FOLDERS = ("bin", "dev", "etc", "proc", "sys")
_OPEN = 0o1777
_APPLETS_TIMEOUT_S = 10.0


@functools.cache
def archive() -> bytes:
    """Its root file system: busybox, under the name of each of its programs."""
    program = programs.found("busybox")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True, timeout=_APPLETS_TIMEOUT_S)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_entry(folder, tarfile.DIRTYPE))
        tar.addfile(_entry("tmp", tarfile.DIRTYPE, mode=_OPEN))
        tar.add(program, "bin/busybox", filter=_of_root)
        for applet in listed.stdout.split():
            if applet != "busybox":
                tar.addfile(_entry(f"bin/{applet}", tarfile.LNKTYPE, link="bin/busybox"))
        passwd = b"root:x:0:0:root:/:/bin/sh\n"
        tar.addfile(_entry("etc/passwd", tarfile.REGTYPE, size=len(passwd), mode=0o644), io.BytesIO(passwd))
    return written.getvalue()


def _entry(name: str, kind: bytes, *, mode: int = 0o755, link: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, size
    return entry


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
