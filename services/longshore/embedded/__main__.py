"""`python -m longshore.embedded up|down`: what `longshore up` and `longshore down` become."""

import os
import sys
from collections.abc import Mapping, Sequence

from longshore.embedded import config
from longshore.rpc import settings

USAGE = 2


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one of the two; the exit code."""
    command, *words = argv or ("",)
    try:
        if command == "up":
            from longshore.embedded import (
                up,
            )  # each command loads what it needs: `up` is measured by how soon it answers

            return up.run(settings.parse(config.Up, words, environ, prog="longshore up"), words)
        if command == "down":
            from longshore.embedded import down

            return down.run(settings.parse(config.Down, words, environ, prog="longshore down"))
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    sys.stderr.write("usage: python -m longshore.embedded up|down [--flag VALUE ...]\n")
    return USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
