"""The image of pause containers, as an archive that an engine loads: one layer with one program. Pure."""

import functools
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

from longshore.agent import container_names, pause_program

PATH = "/pause"
REPOSITORY = "longshore/pause"

_TAG_DIGITS = 12
_EXECUTABLE = 0o555
_EPOCH = "1970-01-01T00:00:00Z"
# The names that engines give processors, and the kernel's and Go's of each.
_PLATFORMS = {
    "x86_64": ("x86_64", "amd64"),
    "amd64": ("x86_64", "amd64"),
    "aarch64": ("aarch64", "arm64"),
    "arm64": ("aarch64", "arm64"),
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image: the name under which it is loaded, which no other content has, and the archive."""

    name: str
    archive: bytes = field(repr=False)


@functools.cache
def image(architecture: str) -> Image | None:
    """The image for an engine's processor; None where there is no program for it."""
    platform = _PLATFORMS.get(architecture)
    if platform is None:
        return None
    kernel, go = platform
    layer = _tar({PATH.removeprefix("/"): pause_program.program(kernel)}, mode=_EXECUTABLE)
    config = _json(
        {
            "architecture": go,
            "os": "linux",
            "created": _EPOCH,
            "config": {"Entrypoint": [PATH], "Labels": {container_names.INTERNAL: container_names.PAUSE}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
            "history": [{"created": _EPOCH, "created_by": "longshore agent"}],
        }
    )
    name = f"{REPOSITORY}:{_digest(config)[:_TAG_DIGITS]}"
    manifest = [{"Config": f"{_digest(config)}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {f"{_digest(config)}.json": config, "layer.tar": layer, "manifest.json": _json(manifest)}
    return Image(name, _tar(files))


def _tar(files: dict[str, bytes], mode: int = 0o444) -> bytes:
    """An archive that is the same whenever it is made."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
