"""A Docker Engine of the drill's own: containerd and dockerd with their own folders, socket and bridge, to be killed and frozen.

It shares nothing with the machine's engine. It leaves iptables alone, because two engines would rewrite each other's rules; published
ports work through its proxy process. Before anything is done to it, it is made sure that the socket is really that of the process which
was started here: no other engine is ever touched.
"""

import asyncio
import secrets
import socket
import struct
from pathlib import Path

from longshore.drill import child, disk, programs
from longshore.drill.agent import image

START_TIMEOUT_S = 180.0
"""Without live-restore it ends the containers that it finds, some after ten seconds each; with a full disk it has to wait for room."""

_AGAIN_S = 0.5

_POLL_S = 0.05
_CALL_TIMEOUT_S = 2.0
_UCRED = struct.Struct("3i")
_LEFT_LINES = 20

_CONTAINERD = """version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{socket}"
"""


class WrongEngine(Exception):  # noqa: N818 - named by what is wrong
    """The engine that answers is not the one that was started here."""


class OwnEngine:
    """Between `make` and `remove` there is one; it may be stopped in between, in many ways."""

    def __init__(self, home: Path, data: disk.Disk, logs: Path) -> None:
        """An engine in a folder whose path must be short: those of sockets below it have to fit 108 bytes."""
        self.url = f"unix://{home}/s"
        self.live_restore = True
        self._home = home
        self._data = data
        self._logs = logs
        self.bridge = f"lsd{secrets.token_hex(4)}"
        self._dockerd: child.Child | None = None
        self._containerd: child.Child | None = None

    async def make(self) -> None:
        """Have its file system and its bridge there."""
        await self._data.mount()
        await programs.call("ip", "link", "add", "name", self.bridge, "type", "bridge")
        # A subnet that neither Docker's default pools nor a usual office network has.
        await programs.call("ip", "addr", "add", f"198.18.{secrets.randbelow(255)}.1/24", "dev", self.bridge)
        await programs.call("ip", "link", "set", self.bridge, "up")

    async def start(self, *, live_restore: bool) -> None:
        """Start what does not run of it, again whenever that ends, as an init system does; returns once it answers."""
        self.live_restore = live_restore
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not (await self._containerd_runs() and await self._dockerd_runs()):  # noqa: ASYNC110
                    await asyncio.sleep(_AGAIN_S)  # its disk may be full
        except TimeoutError:
            said = "\n".join(self._said(name) for name in ("containerd", "dockerd"))
            raise programs.Failed(f"the engine did not start within {START_TIMEOUT_S:.0f} s:\n{said}") from None

    async def _containerd_runs(self) -> bool:
        """Have containerd running; False where it has ended at once."""
        if self._containerd is None or not self._containerd.running:
            config = self._home / "containerd.toml"
            config.write_text(
                _CONTAINERD.format(root=self._data.path / "containerd", state=self._home / "t", socket=self._home / "c")
            )
            (self._home / "c").unlink(missing_ok=True)
            command = [programs.found("containerd"), "--config", str(config)]
            self._containerd = await child.started(command, log=self._logs / "containerd.log")
        while not (self._home / "c").is_socket():
            if not self._containerd.running:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def _dockerd_runs(self) -> bool:
        """Have dockerd answering; False where it has ended before."""
        if self._dockerd is None or not self._dockerd.running:
            (self._home / "p").unlink(missing_ok=True)  # of one that was killed: another process may have its id by now
            command = [programs.found("dockerd"), *self._options(live_restore=self.live_restore)]
            self._dockerd = await child.started(command, log=self._logs / "dockerd.log")
        while not await self.answers():
            if not self._dockerd.running:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def kill(self, *, whole: bool) -> None:
        """End it as a crash would; `whole`: its containerd too. The containers' own processes go on."""
        self.verify()
        if self._dockerd is not None:
            await self._dockerd.kill()
        if whole and self._containerd is not None:
            await self._containerd.kill()

    def freeze(self) -> None:
        """Stop dockerd in its tracks."""
        self.verify()
        assert self._dockerd is not None  # noqa: S101 - verified
        self._dockerd.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        if self._dockerd is not None:
            self._dockerd.thaw()

    async def docker(self, *arguments: str, given: bytes | None = None) -> str:
        """Run the docker client against it; what it printed."""
        return await programs.call("docker", "--host", self.url, *arguments, given=given)

    async def answers(self) -> bool:
        """Whether it answers, and is ours."""
        try:
            async with asyncio.timeout(_CALL_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._home / "s"))
                writer.write(b"GET /_ping HTTP/1.0\r\n\r\n")
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return False
        if self._dockerd is None or not self._dockerd.running:
            return False
        self.verify()
        return b" 200 " in answer.partition(b"\r\n")[0]

    def verify(self) -> None:
        """Raise WrongEngine unless who listens on the socket is the process that was started here."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_CALL_TIMEOUT_S)
            try:
                asking.connect(str(self._home / "s"))
            except OSError as error:
                raise WrongEngine(f"nothing listens on {self.url}: {error}") from error
            # The kernel notes the credentials of who called listen().
            pid, _, _ = _UCRED.unpack(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        ours = self._dockerd.pid if self._dockerd is not None else None
        if pid != ours:
            raise WrongEngine(f"process {pid} listens on {self.url}, not the engine of this drill (process {ours})")

    async def remove(self) -> None:
        """End its containers and itself, and undo what it left on the host."""
        try:
            if self._dockerd is not None:
                await self._end_containers()
        finally:
            for process in (self._dockerd, self._containerd):
                if process is not None:
                    await process.stop()
            await programs.call("ip", "link", "delete", self.bridge)
            for mount in reversed(disk.mounts(self._home)):
                if not Path(mount).is_relative_to(self._data.path):
                    await programs.call("umount", "--lazy", mount)
            await self._data.unmount()

    async def load(self) -> None:
        """Have the tasks' image there."""
        await self.docker("import", *image.OPTIONS, "-", image.NAME, given=image.archive())

    async def _end_containers(self) -> None:
        self.thaw()
        self._data.free()
        if not await self.answers():
            await self.start(live_restore=True)
        if found := (await self.docker("ps", "--all", "--quiet")).split():
            await self.docker("rm", "--force", "--volumes", *found)
        if found := (await self.docker("network", "ls", "--filter", "type=custom", "--quiet")).split():
            await self.docker("network", "rm", *found)

    def _said(self, name: str) -> str:
        return "\n".join((self._logs / f"{name}.log").read_text(errors="replace").splitlines()[-_LEFT_LINES:])

    def _options(self, *, live_restore: bool) -> list[str]:
        return [
            f"--host={self.url}",
            f"--containerd={self._home}/c",
            f"--data-root={self._data.path}/docker",
            f"--exec-root={self._home}/x",
            f"--pidfile={self._home}/p",
            f"--bridge={self.bridge}",
            *(["--live-restore"] if live_restore else []),
            # No --default-address-pool: with one, and without live-restore, dockerd 20.10 removes `docker0` at every start,
            # which is the bridge of the machine's own engine.
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
        ]
