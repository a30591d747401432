"""What `up` and `down` say to the person who started them."""

import sys


def say(text: str) -> None:
    """Print a line at once: it may go to a file that somebody waits on. Nobody may read any more; that stops nothing."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass
