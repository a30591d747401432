"""A real PostgreSQL server in a temporary folder."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.engines import ports, processes

OWNER = "longshore"
_TOOL_BOUND_S = 60.0  # initdb on a busy machine; everything else takes milliseconds
_ICU_SINCE = 15


def installation() -> Path | None:
    """The folder of the newest server programs on this machine, ``None`` without any."""
    found = {
        int(path.parent.parent.name): path.parent for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb")
    }
    return found[max(found)] if found else None


class PostgresServer:
    """One server on a loopback port; its data survives ``stop``, ``kill`` and ``restart`` and goes with ``close``."""

    def __init__(self, programs: Path, *, fsync: bool = False) -> None:
        """``fsync=False`` still survives the crash of the server (not of the machine), and is far faster."""
        self.port = ports.free_port()
        self._programs = programs
        # Not under pytest's own folder: the server's user could not enter that one.
        self._home = Path(tempfile.mkdtemp(prefix="longshore-postgres-"))
        self._data = self._home / "data"
        self._user = _server_user()
        if self._user is not None:
            shutil.chown(self._home, self._user, self._user)
        self._names = (f"t{number}" for number in itertools.count(1))
        self._templates: dict[Callable[[str], None], str] = {}
        self._initialise()
        settings = {
            "fsync": "on" if fsync else "off",
            # Never off: a commit that has answered must survive the crash of the server.
            "synchronous_commit": "on",
            "full_page_writes": "on" if fsync else "off",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_min_messages": "warning",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = processes.ServerProcess(
            "postgres",
            [str(programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *arguments],
            log=self._home / "log",
            user=self._user,
            death_signal=signal.SIGQUIT,  # immediate shutdown: the server takes its backends along
        )

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and remove its data."""
        self.close()

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._process.running

    def start(self) -> None:
        """Start it; returns once it accepts connections."""
        # A crash leaves the old status file behind, which would answer "ready" for the new server.
        if not self.running:
            (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._process.start(self._ready)

    def stop(self) -> None:
        """Shut it down cleanly, ending every connection (PostgreSQL's fast shutdown)."""
        self._process.stop(signal.SIGINT)

    def crash(self) -> None:
        """End all of its processes at once without a checkpoint, so that the next start recovers from the log."""
        self._process.stop(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start, as an upgrade of its package does."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its data."""
        self._process.stop(signal.SIGINT)
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement as an administrator; the result's rows as psql prints them unaligned."""
        return self._tool("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def create_database(self, *, prepare: Callable[[str], None] | None = None) -> str:
        """The URL of a new database: empty, or a copy of one that ``prepare(url)`` has filled once in this run."""
        name = next(self._names)
        template = "template1" if prepare is None else self._template(prepare)
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database whoever is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def _template(self, prepare: Callable[[str], None]) -> str:
        if prepare not in self._templates:
            url = self.create_database()
            prepare(url)
            # A connection that prepare left open would make every copy fail.
            name = url.rpartition("/")[2]
            self.sql(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 - our name
            self._templates[prepare] = name
        return self._templates[prepare]

    def _initialise(self) -> None:
        # A language's collation, as production databases have: a query that forgets to compare by bytes fails here.
        icu = ["--locale-provider=icu", "--icu-locale=en-US"] if int(self._programs.parent.name) >= _ICU_SINCE else []
        options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *icu]
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", OWNER, *options]
        _run(processes.as_user(self._user, command))

    def _ready(self) -> bool:
        # The server writes its status there; asking by connecting would fill its log with refusals.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _tool(self, program: str, *arguments: str) -> str:
        return _run([str(self._programs / program), *arguments])


def _server_user() -> str | None:
    """Whom a root test run becomes: the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_BOUND_S, check=False, cwd="/")
    if done.returncode != 0:
        raise processes.EngineError(f"{Path(command[0]).name} failed:\n{done.stderr or done.stdout}")
    return done.stdout.strip()
