"""The guides show programs as their files are, and only such as a test runs."""

import re

from scripts import guide_programs

from tests.clients import languages

GUIDE = guide_programs.ROOT / "docs/guides/clients.md"


def test_every_language_that_has_the_ten_lines_is_shown_with_them() -> None:
    sections = re.split(r"^## ", GUIDE.read_text(), flags=re.MULTILINE)[1:]
    shown = {text.split("\n")[0].lower() for text in sections if guide_programs.shown(text)}
    assert shown == {language.name for language in languages.ALL if "ten-lines" in language.programs}


def test_pages_show_programs_as_they_are() -> None:
    found = {
        path: block
        for page in guide_programs.guides()
        for path, block in guide_programs.shown(page.read_text()).items()
    }
    assert len(found) >= 3
    assert {path: guide_programs.block(path) for path in found} == found


def test_a_program_that_has_changed_is_put_in_anew() -> None:
    stale = "before\n<!-- program: examples/ten_lines.py -->\n```python\nprint(1)\n```\n<!-- end -->\nafter\n"
    fresh = guide_programs.filled(stale)
    assert guide_programs.shown(fresh) == {"examples/ten_lines.py": guide_programs.block("examples/ten_lines.py")}
    assert (fresh.startswith("before\n<!--"), fresh.endswith("-->\nafter\n")) == (True, True)
