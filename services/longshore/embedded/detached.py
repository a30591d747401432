"""`longshore up --detach`: the same process in a session of its own, which is left running once it serves."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from longshore.embedded import config, holder, saying

READY_TIMEOUT_S = 60.0
"""How long it is waited for: a first start writes the schema, on a busy disk, and then the agent joins."""

POLL_S = 0.05
"""How often the note of the child is looked for; nothing can be awaited across processes here."""

FAILED = 1


def start(
    argv: Sequence[str],
    folders: config.Folders,
    *,
    environ: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> int:
    """Start `up` with these arguments in the background, and return once it serves; the exit code.

    What it printed is passed on; with `quiet` only where it has failed.
    """
    with folders.up_output.open("wb") as output:
        child = subprocess.Popen(
            # The last word wins, however --detach was spelled.
            [sys.executable, "-m", "longshore.embedded", "up", *argv, "--no-detach"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | (environ or {}),
        )
    end = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < end:
        ended = child.poll()
        running = holder.read(folders.state)
        if ended is not None or (running is not None and running.pid == child.pid and running.ready):
            if ended is not None or not quiet:
                saying.say(folders.up_output.read_text(errors="replace").rstrip())
            return 0 if ended is None else ended or FAILED
        time.sleep(POLL_S)
    saying.say(f"pid {child.pid} does not serve after {READY_TIMEOUT_S:.0f} s, and goes on; see {folders.up_output}.")
    return FAILED
