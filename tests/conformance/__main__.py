"""`python -m tests.conformance`: say whether the committed documents are what they should be; with `--write`, write them."""

import sys
from collections.abc import Sequence

from tests.conformance import document, parameters


def main(arguments: Sequence[str]) -> int:
    """Write the documents, or say whether they are up to date."""
    stale = 0
    for file, text in ((document.FILE, document.render()), (parameters.FILE, parameters.render())):
        if "--write" in arguments:
            file.write_text(text)
            print(f"conformance: wrote {file.name}")  # noqa: T201 - a command-line program
        elif not file.exists() or file.read_text() != text:
            print(f"conformance: docs/{file.name} is stale; run 'make conformance'")  # noqa: T201 - as above
            stale = 1
        else:
            print(f"conformance: docs/{file.name} is up to date")  # noqa: T201 - as above
    return stale


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
