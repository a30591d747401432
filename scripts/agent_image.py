"""Pack an image as an archive that `docker load` takes: `agent_image.py IMAGE ARCHIVE TAG...`.

What the engine itself would save has the time of the build in it, in every file and in the image's description. Here the same files make the
same archive: one layer, sorted, at one time, and an id that says what is in it.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CREATED = "2020-01-01T00:00:00Z"
_MTIME = 1577836800
_BOUND_S = 300.0
_LEVEL = 6
"""The last levels take twice the time for a hundredth of the size."""

_ENGINES_OWN = frozenset(
    {".dockerenv", "dev/console", "dev/pts", "dev/shm", "etc/hosts", "etc/hostname", "etc/mtab", "etc/resolv.conf"}
)
"""What the engine adds to each container, and so to what it exports."""

_KEPT = ("Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "User", "ExposedPorts")


def main() -> None:
    """Write the archive, whole or not at all."""
    image, archive, tags = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    told = json.loads(_docker("image", "inspect", image))[0]
    layer = _layer(image)
    description = _description(told, layer)
    config = f"{hashlib.sha256(description).hexdigest()}.json"
    files = {config: description, "layer.tar": layer}
    manifest = [{"Config": config, "RepoTags": tags, "Layers": ["layer.tar"]}]
    files["manifest.json"] = _json(manifest)
    partial = archive.with_suffix(".partial")
    with partial.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
        packed.write(_tar(files))
    partial.rename(archive)


def _description(told: dict[str, Any], layer: bytes) -> bytes:
    return _json(
        {
            "architecture": told["Architecture"],
            "os": told["Os"],
            "created": CREATED,
            "config": {name: told["Config"][name] for name in _KEPT if told["Config"].get(name)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": CREATED, "created_by": "make agent-image"}],
        }
    )


def _layer(image: str) -> bytes:
    """All files of the image as one layer."""
    written = io.BytesIO()
    with _container(image) as name, tarfile.open(fileobj=io.BytesIO(_docker("export", name))) as exported:
        members = {member.name: member for member in exported.getmembers() if member.name not in _ENGINES_OWN}
        with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as layer:
            for _, member in sorted(members.items()):
                content: IO[bytes] | None = exported.extractfile(member) if member.isfile() else None
                layer.addfile(_plain(member), content)
    return written.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(_plain(member), io.BytesIO(content))
    return written.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what tells of the machine that built it."""
    member.mtime = _MTIME
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.pax_headers = {}
    return member


@contextmanager
def _container(image: str) -> Iterator[str]:
    name = _docker("create", image).decode().strip()
    try:
        yield name
    finally:
        _docker("rm", name)


def _docker(*arguments: str) -> bytes:
    return subprocess.run(["docker", *arguments], stdout=subprocess.PIPE, check=True, timeout=_BOUND_S).stdout


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


if __name__ == "__main__":
    main()
