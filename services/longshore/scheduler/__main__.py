"""`python -m longshore.scheduler`: the scheduler as a process of its own."""

import sys

from longshore.process import component
from longshore.scheduler import app
from longshore.scheduler.config import Config


def main() -> int:
    """Serve until asked to stop; the exit code."""
    return component.main(Config, app.serve, name="scheduler")


if __name__ == "__main__":
    sys.exit(main())
