"""An image registry with one image that Docker can pull, on loopback, where Docker asks for no TLS."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_BUSYBOX = Path("/bin/busybox")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(note: str) -> bytes:
    """A root file system of busybox, `sh` and `sleep`, and a note that makes it differ from others."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(_BUSYBOX, "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        text = note.encode()
        info = tarfile.TarInfo("note")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


@dataclass
class Registry:
    """What it serves, and how often it was asked."""

    port: int = 0
    digest: str = ""
    broken: bool = False
    busy: int = 0
    """How many more times it answers 429 before it serves."""
    breaks_off: int = 0
    """How many more times it ends a connection in the middle of a layer."""
    password: str = ""
    """What the user `tester` must know; empty: nobody is asked."""
    manifests_served: int = 0
    refused: int = 0
    _blobs: dict[str, bytes] = field(default_factory=dict)
    _manifest: bytes = b""

    @property
    def image(self) -> str:
        """Name of its image."""
        return f"127.0.0.1:{self.port}/tests/app:1"

    def publish(self, note: str) -> None:
        """Put another image under the tag."""
        tar = _layer(note)
        packed = gzip.compress(tar, compresslevel=1, mtime=0)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
            }
        ).encode()
        self._blobs |= {_digest(data): data for data in (packed, config)}
        self._manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": _digest(config)},
                "layers": [{"mediaType": LAYER_TYPE, "size": len(packed), "digest": _digest(packed)}],
            }
        ).encode()
        self.digest = _digest(self._manifest)

    def _admit(self, request: web.Request) -> None:
        wanted = "Basic " + base64.b64encode(f"tester:{self.password}".encode()).decode()
        if self.password and request.headers.get("Authorization") != wanted:
            self.refused += 1
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="tests"'})

    async def _serve_root(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.json_response({})

    async def _serve_manifest(self, request: web.Request) -> web.Response:
        self._admit(request)
        if self.broken:
            raise web.HTTPInternalServerError
        if self.busy:
            self.busy -= 1
            raise web.HTTPTooManyRequests
        self.manifests_served += 1
        headers = {"Docker-Content-Digest": self.digest, "Content-Type": MANIFEST_TYPE}
        return web.Response(body=self._manifest, headers=headers)

    async def _serve_blob(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        if self.breaks_off:
            self.breaks_off -= 1
            half = web.StreamResponse(headers={"Content-Length": "1000000"})
            await half.prepare(request)
            await half.write(b"half a layer")
            assert request.transport is not None
            request.transport.close()
            return half
        return web.Response(body=self._blobs[request.match_info["digest"]], content_type="application/octet-stream")

    def routes(self) -> list[web.RouteDef]:
        """The three calls of a pull."""
        return [
            web.get("/v2/", self._serve_root),
            web.get("/v2/tests/app/manifests/{reference}", self._serve_manifest),
            web.get("/v2/tests/app/blobs/{digest}", self._serve_blob),
        ]


@asynccontextmanager
async def serving() -> AsyncIterator[Registry]:
    """A registry for the time of a block."""
    made = Registry()
    made.publish("first")
    application = web.Application()
    application.add_routes(made.routes())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()
