"""The example programs of all languages tell one story, in the same lines: run, wait, watch over a restart, be refused, give up."""

import secrets
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients import languages
from tests.e2e import stacks

pytestmark = [pytest.mark.timeout(300)]

STORY = """\
registered FAMILY:1
task: RUNNING
log: one
log: two
log: three
task: STOPPED, exit code 3, ESSENTIAL_CONTAINER_EXITED
watch: RUNNING
restart the server now, then press Enter
watch: STOPPED, USER_INITIATED, the story goes on
watch: nothing was missing and nothing came twice
refused: ClusterNotFoundException, cluster FAMILY
not placed: RESOURCE:CPU, so with 16 CPU units
task: STOPPED, exit code 0, ESSENTIAL_CONTAINER_EXITED
deadline: DEADLINE_EXCEEDED
task: STOPPED, exit code 0, USER_INITIATED
"""
RESTART = "restart the server now, then press Enter\n"


class Teller:
    """An example program under way."""

    def __init__(self, language: languages.Language, stack: stacks.Stack) -> None:
        self.name = language.name
        self.family = f"story-{language.name}-{secrets.token_hex(4)}"
        self.process = subprocess.Popen(
            language.command("story", self.family),
            env=languages.environment(stack),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = ""

    def until_restart(self) -> None:
        """Listen until it asks for the restart, or ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told += line
            if line == RESTART:
                return

    def to_the_end(self) -> str:
        """Say that the server was restarted, and return all that it told, errors included where it has failed."""
        rest, complaints = self.process.communicate("\n", timeout=languages.PROGRAM_BOUND_S)
        failed = f"ended with {self.process.returncode}: {complaints}" if self.process.returncode else ""
        return (self.told + rest).replace(self.family, "FAMILY") + failed


@pytest.fixture(scope="module")
def stories(live: stacks.Stack) -> Iterator[dict[str, str]]:
    """What each language's example tells. They run side by side over one restart."""
    tellers: list[Teller] = []
    try:
        present = [each for each in languages.ALL if "story" in each.programs and not each.absent()]
        tellers.extend(Teller(language, live) for language in present)
        with ThreadPoolExecutor(max(1, len(tellers))) as threads:
            list(threads.map(Teller.until_restart, tellers))
            live.processes["up"].stop(signal.SIGKILL)
            live.start("up")
            told = list(threads.map(Teller.to_the_end, tellers))
        yield {teller.name: story for teller, story in zip(tellers, told, strict=True)}
    finally:
        for teller in tellers:
            teller.process.kill()
            teller.process.wait()


@pytest.mark.parametrize(
    "language", [language for language in languages.ALL if "story" in language.programs], ids=lambda found: found.name
)
def test_the_example_tells_the_story(language: languages.Language, stories: dict[str, str]) -> None:
    """Word for word."""
    language.command("story")
    assert stories[language.name] == STORY
