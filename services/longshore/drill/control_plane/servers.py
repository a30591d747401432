"""A PostgreSQL and a Redis of the drill's own."""

import asyncio
import json
import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import Any

from longshore.drill import journal, own_ports, programs
from longshore.drill.control_plane import service

OWNER = "longshore"
_DATABASE = "postgres"
_READY_S = 30.0
_POLL_S = 0.1
_INSTALLED = Path("/usr/lib/postgresql")

BY_DRILL = {**programs.BY_ALL, "redis-server": "redis-server"}
"""Programs beside PostgreSQL's, each with the Debian package that brings it."""


def installation() -> Path | None:
    """The folder of the newest PostgreSQL here."""
    found = {int(path.parent.parent.name): path.parent for path in _INSTALLED.glob("[0-9]*/bin/initdb")}
    return found[max(found)] if found else None


def absent() -> tuple[str, ...]:
    """What is missing here, each with its package."""
    missing = programs.absent(BY_DRILL)
    return missing if installation() is not None else (*missing, "PostgreSQL's server (postgresql)")


def server_user() -> str:
    """Whom a drill of root's becomes for PostgreSQL, which refuses to be run by root; empty: nobody else."""
    if os.geteuid() != 0:
        return ""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


class Database:
    """PostgreSQL, with its data in the drill's folder. Settings are those of a fresh installation: a commit is on the disk when it has answered."""

    def __init__(self, home: Path, port: int, logs: Path, notes: journal.Journal) -> None:
        found = installation()
        if found is None:
            raise programs.Failed("PostgreSQL's server is not installed (package postgresql)")
        self._programs = found
        self._data = home / "database"
        self.at = own_ports.LOOPBACK, port
        settings = {"listen_addresses": own_ports.LOOPBACK, "unix_socket_directories": "", "max_connections": "200"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.service = service.Service(
            "database",
            [str(found / "postgres"), "-D", str(self._data), "-p", str(port), *words],
            logs=logs,
            notes=notes,
            user=server_user(),
            ending=signal.SIGINT,  # it would wait for its connections to be closed
            family=True,
        )

    def url(self, address: str) -> str:
        """Its URL over a line."""
        return f"postgresql://{OWNER}@{address}/{_DATABASE}"

    async def make(self) -> None:
        """Make its files."""
        self._data.mkdir()
        identity: tuple[str, ...] = ()
        if user := server_user():
            shutil.chown(self._data, user, user)
            identity = ("--reuid", user, "--regid", user, "--init-groups")
        options = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "-U", OWNER)
        await programs.call("setpriv", *identity, "--", str(self._programs / "initdb"), "-D", str(self._data), *options)

    async def ready(self) -> None:
        """Wait until it takes connections."""
        async with asyncio.timeout(_READY_S):
            while not self._is_ready():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, asked for past every component and every line."""
        host, port = self.at
        program = str(self._programs / "psql")
        url = self.url(f"{host}:{port}")
        told = await programs.call(program, "-XAtq", "-c", f"SELECT row_to_json(r) FROM ({sql}) r", url)  # noqa: S608 - ours
        return [json.loads(line) for line in told.splitlines()]


class Events:
    """Redis, which keeps nothing."""

    def __init__(self, home: Path, port: int, logs: Path, notes: journal.Journal) -> None:
        self.at = own_ports.LOOPBACK, port
        folder = home / "events"
        folder.mkdir()
        settings = {"port": str(port), "bind": own_ports.LOOPBACK, "dir": str(folder), "save": "", "appendonly": "no"}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        command = [programs.found("redis-server"), *words]
        self.service = service.Service("events", command, logs=logs, notes=notes)
