"""Put the programs that guides show into them anew, each from the file that a test runs.

A guide says `<!-- program: PATH -->`; what follows up to `<!-- end -->` is that file, as a block of its language.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LANGUAGES = {".py": "python", ".go": "go", ".ts": "typescript", ".java": "java"}
PROGRAM = re.compile(r"(<!-- program: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def guides() -> Iterator[Path]:
    """Every page that shows a program of a file."""
    pages = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    return (page for page in pages if PROGRAM.search(page.read_text()))


def shown(text: str) -> dict[str, str]:
    """The programs that a page shows: the block, fences included, by the path of its file."""
    return {found[2]: found[0].removeprefix(found[1]).removesuffix(found[3]) for found in PROGRAM.finditer(text)}


def filled(text: str) -> str:
    """A page with its programs as their files are now."""
    return PROGRAM.sub(lambda found: f"{found[1]}{block(found[2])}{found[3]}", text)


def block(path: str) -> str:
    """A file as a block of its language."""
    program = ROOT / path
    return f"```{LANGUAGES[program.suffix]}\n{program.read_text().rstrip()}\n```\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or say which are stale."""
    stale = [page for page in guides() if filled(page.read_text()) != page.read_text()]
    if list(arguments) == ["check"]:
        for page in stale:
            print(
                f"guides: {page.relative_to(ROOT)} shows a program as it is no longer; run 'make guides' and commit the result"
            )
        return bool(stale)
    for page in stale:
        page.write_text(filled(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
