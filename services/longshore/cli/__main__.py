"""The entry of the `longshore` command: becomes a component at once, or says which extra the command itself is missing."""

import importlib.util
import sys

from longshore.cli import components, exits

NEEDS = ("typer", "rich")


def main() -> None:
    """Run the command."""
    name, *arguments = sys.argv[1:] or ("",)
    if name in components.COMPONENTS:
        components.become(components.COMPONENTS[name], arguments)
    absent = [package for package in NEEDS if importlib.util.find_spec(package) is None]
    if absent:
        sys.stderr.write(
            f"The longshore command needs {' and '.join(absent)}, which is not installed. "
            "Install it with: pip install 'longshore[cli]'\n"
            "A component starts without it: longshore agent, longshore registry and so on.\n"
        )
        sys.exit(exits.MISSING_EXTRA)
    from longshore.cli import application

    application.main(sys.argv[1:])


if __name__ == "__main__":
    main()
