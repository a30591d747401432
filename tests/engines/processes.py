"""A server process that cannot outlive the test run.

Two ties hold it: the fixture's finaliser stops it, and the kernel's parent-death signal does when the run is killed
before any finaliser. The kernel sends that signal when the *thread* that started the process ends, so all of them are
started by one thread that lives as long as the interpreter; a test may then call ``start`` from any thread.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

START_BOUND_S = 30.0  # PostgreSQL's recovery after a crash, on a machine whose cores are busy
STOP_BOUND_S = 30.0
_POLL_S = 0.02

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-starter")


class EngineError(Exception):
    """A server did not do what it was asked; the message carries the end of its log."""


class ServerProcess:
    """One server program: start it, wait until it answers, stop, kill or freeze it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        user: str | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """``user`` is whom a root test run becomes for it; ``death_signal`` is what it gets when the run dies."""
        self.name = name
        self._command = list(command)
        self._log = log
        self._user = user
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there (frozen counts as there)."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and return once ``ready()`` holds; nothing happens when it runs already."""
        if self.running:
            return
        process = _starter.submit(self._spawn).result()
        self._process = process
        deadline = time.monotonic() + START_BOUND_S
        while not ready():
            if process.poll() is not None:
                raise EngineError(f"{self.name} ended with {process.returncode}:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise EngineError(f"{self.name} did not answer within {START_BOUND_S:.0f} s:\n{self._log_tail()}")
            time.sleep(_POLL_S)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end and wait until it has; nothing happens when it does not run."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_BOUND_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise EngineError(f"{self.name} did not end within {STOP_BOUND_S:.0f} s:\n{self._log_tail()}") from None
        self._process = None

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise EngineError(f"{self.name} does not run")
        return self._process.pid

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise EngineError(f"{self.name} does not run")
        self._process.send_signal(number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                as_user(self._user, self._command, death_signal=self._death_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the tests must not reach it before the finalisers
                cwd="/",
            )

    def _log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


def as_user(user: str | None, command: Sequence[str], *, death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command to run ``command`` as ``user`` (when we are root) under a parent-death signal.

    setpriv sets the signal after it has changed the user, which would clear it; ``preexec_fn`` would fork this
    process, threads and all.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EngineError("setpriv (package util-linux) is missing")
    identity = ["--reuid", user, "--regid", user, "--init-groups"] if user and os.geteuid() == 0 else []
    return [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), *identity, "--", *command]
