"""`longshore up`: whether it can start here at all, and then how: in this process, or in one that is left running.

What it takes to serve is loaded only by the process that serves: whoever waits for `up --detach`, or is told what stands in the way,
does not wait for that.
"""

import gc
import importlib.util
from collections.abc import Sequence

from longshore.embedded import config, detached, holder, port_holder
from longshore.embedded.saying import say

FAILED = 1
MISSING_EXTRA = 3


def run(options: config.Up, argv: Sequence[str]) -> int:
    """Start the stack; the exit code."""
    folders = config.folders(options.state_dir)
    if options.agent and importlib.util.find_spec("aiodocker") is None:
        say("The agent needs aiodocker, which is not installed. Install it with: pip install 'longshore[agent]'")
        say("`longshore up --no-agent` starts the control plane alone.")
        return MISSING_EXTRA
    try:
        folders.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        folders.logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say(f"Cannot use {error.filename}: {error.strerror}. Choose another folder with --state-dir.")
        return FAILED
    if taken := _in_the_way(options, folders):
        say(taken)
        return FAILED
    if options.detach:
        return detached.start(argv, folders)
    # Collections during a start look in vain at what stays for good: `serving` has them again, once everything is there.
    gc.disable()
    from longshore.embedded import serving

    return serving.run(options, folders)


def _in_the_way(options: config.Up, folders: config.Folders) -> str:
    """What stands in the way of starting, as a sentence; empty where nothing does."""
    running = holder.read(folders.state)
    if running is not None:
        return already_runs(folders, f"pid {running.pid}, ports from {running.port_base}")
    found = port_holders(options.port_base)
    return f"{found}Choose other ports with --port-base." if found else ""


def already_runs(folders: config.Folders, who: str) -> str:
    """That the state is in use, by whom, and what to do about it."""
    stop = f"Stop it with `longshore down{folders.option()}`"
    return f"Longshore already runs on {folders.state}: {who}. {stop}, or start another with --state-dir and --port-base of its own."


def port_holders(port_base: int) -> str:
    """Which components' ports are taken, and by whom, in sentences; empty where all are free."""
    ports = holder.ports(port_base)
    by_holder: dict[str, list[str]] = {}
    for name in holder.COMPONENTS:
        if who := port_holder.describe(ports[name]):
            by_holder.setdefault(who, []).append(f"{ports[name]} ({name.replace('_', '-')})")
    return "".join(f"{_ports(held)} in use by {who}. " for who, held in by_holder.items())


def _ports(held: Sequence[str]) -> str:
    return f"Port {held[0]} is" if len(held) == 1 else f"Ports {', '.join(held)} are"
