"""What is common to every process of the control plane: settings, log, a measured event loop, and one line for what a person can mend."""

import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from longshore.metrics import exposition, loop_blocks
from longshore.rpc import logs, loops, server, settings, tls

C = TypeVar("C", bound=settings.Process)

USAGE = 2
FAILED = 1

EXPECTED: tuple[type[Exception], ...] = (server.BindError, exposition.NotServed, tls.TlsError, ValueError)
"""What a person who starts a process can put right; told in one line."""


def main(
    config_class: type[C],
    run: Callable[[C, loop_blocks.LoopBlocks], Coroutine[Any, Any, None]],
    *,
    name: str,
    expected: tuple[type[Exception], ...] = (),
) -> int:
    """Run `longshore NAME` to its end; the exit code: 0, USAGE for wrong settings, FAILED for what went wrong.

    `expected` is what can be put right beside EXPECTED.
    """
    try:
        config = settings.parse(config_class, sys.argv[1:], os.environ, prog=f"longshore {name}")
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    logs.configure_process(config, config.log_file)
    try:
        loop_blocks.run(lambda blocks: run(config, blocks))
    except (*EXPECTED, *expected) as error:
        sys.stderr.write(f"longshore {name}: {error}\n")
        return FAILED
    except loops.LoopFailedError:
        return FAILED  # logged where it happened
    return 0
