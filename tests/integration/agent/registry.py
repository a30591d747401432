"""An image in a real registry, and a front before it that counts what is asked and can fail as registries and networks do."""

import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.engines import docker, image_registry

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
TAG = "1"
_BUSYBOX = Path("/bin/busybox")
_PIECE = 64 * 1024
_PASSED_ON = ("Content-Type", "Content-Range", "Docker-Content-Digest", "WWW-Authenticate")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(note: str, size: int) -> bytes:
    """A root file system of busybox, `sh` and `sleep`, a note that makes it differ from others, and noise of some size."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(_BUSYBOX, "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, text in (("note", note.encode()), ("noise", os.urandom(size))):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


@dataclass
class Front:
    """What it lets through, and how often it was asked."""

    upstream: image_registry.ImageRegistry
    session: aiohttp.ClientSession
    name: str
    """Name of the repository; of one test alone, so that no other finds its images."""
    port: int = 0
    digest: str = ""
    broken: bool = False
    busy_s: float = 0.0
    """Answers 429 with a Retry-After of so many whole seconds, until they are over."""
    breaks_off: int = 0
    """How many more times it ends a connection in the middle of a layer."""
    piece_s: float = 0.0
    """Pause after each piece of a layer."""
    hangs: bool = False
    """Sends the first piece of a layer and nothing more."""
    asked: int = 0
    """How often the manifest was asked for by its tag: once in each pull."""
    refused: int = 0
    """How often the registry wanted to know who asks."""
    put_off: list[str] = field(default_factory=list)
    """Who was answered 429."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first piece of a layer has been sent."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the engine has left in the middle of a layer. It does not leave one that hangs."""
    _free_at: float = 0.0

    @property
    def host(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def image(self) -> str:
        """Name of its image."""
        return f"{self.host}/{self.name}:{TAG}"

    async def publish(self, note: str, *, size: int = 0, tag: str = TAG) -> str:
        """Put another image under the tag; its digest."""
        tar = _layer(note, size)
        packed = gzip.compress(tar, compresslevel=1, mtime=0)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
            }
        ).encode()
        for blob in (packed, config):
            await self._upload(blob)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": _digest(config)},
                "layers": [{"mediaType": LAYER_TYPE, "size": len(packed), "digest": _digest(packed)}],
            }
        ).encode()
        headers = {"Content-Type": MANIFEST_TYPE, **self._login()}
        async with self.session.put(self._url(f"manifests/{tag}"), data=manifest, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
        self.digest = _digest(manifest)
        return self.digest

    async def _upload(self, blob: bytes) -> None:
        async with self.session.post(self._url("blobs/uploads/"), headers=self._login()) as answer:
            assert answer.status == 202, await answer.text()
            place = answer.headers["Location"]
        joint = "&" if "?" in place else "?"
        url = f"{place}{joint}digest={_digest(blob)}"
        async with self.session.put(url, data=io.BytesIO(blob), headers=self._login()) as answer:
            assert answer.status == 201, await answer.text()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.upstream.port}/v2/{self.name}/{path}"

    def _login(self) -> dict[str, str]:
        if not self.upstream.locked:
            return {}
        told = base64.b64encode(f"{image_registry.USER}:{image_registry.PASSWORD}".encode()).decode()
        return {"Authorization": f"Basic {told}"}

    # ---------------------------------------------------------------- what passes through

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request: answered here where something is to fail, else by the registry."""
        if f"/manifests/{TAG}" in request.path:
            self.asked += 1
        if "/manifests/" in request.path and (answer := self._failure(request)) is not None:
            return answer
        # Docker says what it accepts in many headers of one name.
        asked = ((name, request.headers.getall(name, [])) for name in ("Accept", "Authorization", "Range"))
        headers = {name: ", ".join(values) for name, values in asked if values}
        url = f"http://127.0.0.1:{self.upstream.port}{request.path_qs}"
        async with self.session.request(request.method, url, headers=headers) as found:
            self.refused += found.status == 401
            passed = {name: found.headers[name] for name in _PASSED_ON if name in found.headers}
            body = await found.read()
        if "/blobs/" in request.path and found.status in {200, 206} and len(body) > _PIECE:
            return await self._layer(request, found.status, passed, body)
        if request.method == "HEAD":
            passed["Content-Length"] = found.headers["Content-Length"]
        return web.Response(status=found.status, headers=passed, body=body)

    def _failure(self, request: web.Request) -> web.Response | None:
        if self.broken:
            return web.Response(status=500)
        now = asyncio.get_running_loop().time()
        if self.busy_s and not self._free_at:
            self._free_at = now + self.busy_s
        if now >= self._free_at:
            return None
        self.put_off.append(request.headers.get("User-Agent", ""))
        wait = str(int(self.busy_s)) if len(self.put_off) == 1 else str(int(self._free_at - now) + 1)
        # One answer of two has no body, as those of balancers before a registry.
        body = (
            "" if request.method == "GET" else json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "later"}]})
        )
        return web.Response(status=429, headers={"Retry-After": wait}, text=body, content_type="application/json")

    async def _layer(
        self, request: web.Request, status: int, headers: dict[str, str], body: bytes
    ) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(body))})
        await answer.prepare(request)
        try:
            for begin in range(0, len(body), _PIECE):
                await answer.write(body[begin : begin + _PIECE])
                self.begun.set()
                if self.hangs:
                    await asyncio.Event().wait()
                if self.breaks_off:
                    self.breaks_off -= 1
                    assert request.transport is not None
                    request.transport.close()
                    break
                if self.piece_s:
                    await asyncio.sleep(self.piece_s)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        return answer


def remove_images(engine: docker.DockerEngine, host: str) -> None:
    """Remove what was pulled from a registry, by every name that it has."""
    listed = engine.docker("image", "ls", "--all", "--digests", "--format={{.Repository}} {{.Tag}} {{.Digest}}")
    for repository, tag, digest in (line.split() for line in listed.splitlines()):
        if repository.startswith(f"{host}/"):
            name = f"{repository}:{tag}" if tag != "<none>" else f"{repository}@{digest}"
            engine.docker("image", "rm", "--force", name, check=False)


@asynccontextmanager
async def serving(upstream: image_registry.ImageRegistry, engine: docker.DockerEngine) -> AsyncIterator[Front]:
    """A front for the time of a block, with a first image in its repository; what was pulled is removed from the engine afterwards."""
    name = f"tests/{uuid.uuid4().hex}"
    async with aiohttp.ClientSession() as session:
        made = Front(upstream, session, name)
        await made.publish(f"first of {name}")
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", made.serve)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.port = runner.addresses[0][1]
        try:
            yield made
            # Not from this loop's thread: the engine may ask the registry, which runs in it.
            await asyncio.to_thread(remove_images, engine, made.host)
        finally:
            await runner.cleanup()
