"""A Docker Engine of a test's own, which may be stopped, killed and restarted.

It shares nothing with the machine's engine: its own storage, socket, containerd and bridge. It leaves iptables alone,
because two engines would rewrite each other's rules; published ports work through the engine's proxy process.
"""

import os
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.engines import docker, processes

_TOOL_BOUND_S = 10.0
_CONTAINERD_BOUND_S = 10.0


def program() -> str | None:
    """The engine's program, ``None`` where it is missing or we may not start it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return None
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")


class PrivateDockerd(docker.DockerEngine):
    """An engine whose containers survive its restarts (live restore), as production engines are set up."""

    def __init__(self, executable: str) -> None:
        # Short: the paths of sockets below it must fit 108 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="lsd-"))
        super().__init__(f"unix://{self._home}/s")
        self._containerd_pid_file = self._home / "x/containerd/containerd.pid"
        self._bridge = f"ls{secrets.token_hex(4)}"
        self._process = processes.ServerProcess(
            "dockerd", [executable, *self._options()], log=self._home / "log", death_signal=signal.SIGTERM
        )
        self._ip("link", "add", "name", self._bridge, "type", "bridge")
        # A subnet that neither Docker's default pools nor a usual office network has.
        self._ip("addr", "add", f"198.18.{secrets.randbelow(255)}.1/24", "dev", self._bridge)
        self._ip("link", "set", self._bridge, "up")

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End its containers, stop it and remove what it kept."""
        self.close()

    @property
    def running(self) -> bool:
        """Whether the engine's process is there."""
        return self._process.running

    def start(self) -> None:
        """Start it; returns once it answers."""
        self._process.start(self.answers)

    def stop(self) -> None:
        """Stop it cleanly; its containers go on."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a crash would; its containers go on."""
        containerd = self._containerd()
        self._process.kill()
        # It dies by its parent-death signal, a moment later: an engine started in that moment would take it for its own.
        if containerd is not None:
            select.select([containerd], [], [], _CONTAINERD_BOUND_S)
            os.close(containerd)
        # Where the first process of the machine does not reap, a dead containerd still counts as running.
        self._containerd_pid_file.unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop and start, as an upgrade of its package does."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End its containers, stop it and remove what it kept."""
        try:
            self.start()
            if found := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", "--volumes", *found, check=False)
            # The bridges of networks would outlive it.
            if networks := self.docker("network", "ls", "--quiet", "--filter", "type=custom").split():
                self.docker("network", "rm", *networks, check=False)
            self.stop()
        finally:
            self._ip("link", "delete", self._bridge)
            self._unmount()
            shutil.rmtree(self._home, ignore_errors=True)

    def _unmount(self) -> None:
        """Undo the mounts that an engine leaves after a crash; innermost first."""
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if Path(mount).is_relative_to(self._home):
                subprocess.run(["umount", "--lazy", mount], check=False, timeout=_TOOL_BOUND_S)

    def _containerd(self) -> int | None:
        try:
            return os.pidfd_open(int(self._containerd_pid_file.read_text()))
        except (OSError, ValueError):
            return None

    def _options(self) -> list[str]:
        return [
            f"--host={self.url}",
            f"--data-root={self._home}/d",
            f"--exec-root={self._home}/x",
            f"--pidfile={self._home}/p",
            f"--bridge={self._bridge}",
            "--live-restore",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
        ]

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, timeout=_TOOL_BOUND_S, capture_output=True)
