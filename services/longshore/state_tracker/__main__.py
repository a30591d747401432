"""`python -m longshore.state_tracker`: the state-tracker as a process of its own."""

import sys

from longshore.process import component
from longshore.state_tracker import app
from longshore.state_tracker.config import Config


def main() -> int:
    """Serve until asked to stop; the exit code."""
    return component.main(Config, app.serve, name="state-tracker")


if __name__ == "__main__":
    sys.exit(main())
