"""`python -m longshore.agent`.

Loading the agent takes half a second, in which it can be told to end. As process 1 of a container it would not hear of that: the kernel keeps
from there every signal that nobody has asked for. So the ends are asked for before anything is loaded.
"""

import signal
import sys
from typing import NoReturn


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def main() -> int:
    """Run the agent."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from longshore.agent import process

    return process.main()


if __name__ == "__main__":
    raise SystemExit(main())
