"""`longshore seal-key FILE`: make the key that access keys' secrets are sealed under."""

import sys
from collections.abc import Sequence
from pathlib import Path

from longshore.registry import seal_file

USAGE = """usage: longshore seal-key FILE

Make FILE, which only you can read, with a new key to seal the secrets of access keys under. Give every registry of the
deployment a copy, readable by its user alone, as LONGSHORE_SEAL_KEY_FILE, and keep one: without it every access key
is lost. A file that is there is left alone.
"""

FAILED = 1
WRONG_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Make the file; the exit code."""
    if arguments and arguments[0] in {"--help", "-h"}:
        sys.stdout.write(USAGE)
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        return WRONG_USAGE
    path = Path(arguments[0])
    try:
        seal_file.make(path)
        (key,) = seal_file.read(path)
    except FileExistsError:
        sys.stderr.write(
            f"{path} is there already and was left alone: a seal key that is replaced loses every access key.\n"
        )
        return FAILED
    except OSError as error:
        sys.stderr.write(f"{path} cannot be made: {error.strerror}\n")
        return FAILED
    sys.stdout.write(
        f"{path} holds the seal key {key.fingerprint}. Keep a copy: without it every access key is lost.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
