"""The ten lines of each language that docs/guides/clients.md shows do what it says."""

import pytest

from tests.clients import languages
from tests.e2e import stacks

pytestmark = [pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    "language",
    [language for language in languages.ALL if "ten-lines" in language.programs],
    ids=lambda found: found.name,
)
def test_the_ten_lines_print_what_the_task_writes_and_its_exit_code(
    language: languages.Language, live: stacks.Stack
) -> None:
    assert language.run("ten-lines", live).splitlines() == ["hello", "exit code 7"]
