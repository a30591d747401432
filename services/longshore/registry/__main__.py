"""`python -m longshore.registry`: the registry as a process of its own."""

import sys

from longshore.process import component
from longshore.registry import app
from longshore.registry.config import Config


def main() -> int:
    """Serve until asked to stop; the exit code."""
    # The registry publishes nothing and follows nothing: a bus of this process alone will do.
    return component.main(Config, app.serve, name="registry", bus_url=lambda _: "memory://")


if __name__ == "__main__":
    sys.exit(main())
