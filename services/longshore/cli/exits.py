"""Exit statuses of the `longshore` command. `run --wait` and `start --wait` end with the container's own."""

FAILED = 1
"""A call was refused or could not be made, a file could not be read, or something is away."""

USAGE = 2
"""The command line itself is wrong."""

MISSING_EXTRA = 3
"""Packages that the command or the component needs are not installed."""

INTERRUPTED = 130
"""Ctrl-C."""
