import io
from dataclasses import dataclass, field

from rich.console import Console

from longshore.cli import pull_lines, telling
from longshore.client import following
from longshore.v1 import event_pb2, task_definition_pb2

MB = 1_000_000
DEFINITION = task_definition_pb2.TaskDefinition(
    container_definitions=[
        task_definition_pb2.ContainerDefinition(name=name, image=image)
        for name, image in (("web", "shop:1"), ("side", "proxy:2"))
    ]
)


@dataclass
class Said:
    """What was printed."""

    live: bool
    lines: list[str] = field(default_factory=list)
    updates: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, text: str) -> None:
        self.updates.append(text)


def pulling(**megabytes: float) -> following.Followed:
    """A task whose containers have got so many of 30 MB."""
    return following.Followed(
        "t",
        containers={
            name: event_pb2.ContainerObservation(
                name=name,
                pull_progress=event_pb2.PullProgress(downloaded_bytes=int(got * MB), total_bytes=30 * MB),
            )
            for name, got in megabytes.items()
        },
    )


def test_a_line_changes_on_a_terminal_and_is_put_only_when_it_says_something_new() -> None:
    said = Said(live=True)
    lines = pull_lines.PullLines(said, DEFINITION)
    for got in (3.2, 3.2, 12.7):
        lines.tell(pulling(web=got))
    assert said.updates == [
        "Pulling    shop:1 10% (3.2 of 30 MB)",
        "Pulling    shop:1 42% (12 of 30 MB)",
    ]
    lines.tell(pulling(side=2.4))
    assert said.updates[-1] == "Pulling    2 images 25% (15 of 60 MB)"
    assert said.lines == []


def test_elsewhere_a_quarter_is_a_line() -> None:
    said = Said(live=False)
    lines = pull_lines.PullLines(said, DEFINITION)
    for got in (1, 2, 8, 9, 20, 30):
        lines.tell(pulling(web=got))
    lines.tell(following.Followed("t"))
    assert said.lines == [
        "Pulling    shop:1 3% (1.0 of 30 MB)",
        "Pulling    shop:1 26% (8.0 of 30 MB)",
        "Pulling    shop:1 66% (20 of 30 MB)",
        "Pulling    shop:1 100% (30 of 30 MB)",
    ]
    assert said.updates == []


def test_a_line_that_changes_stays_when_the_next_sentence_comes() -> None:
    narrator = telling.Narrator(as_json=False)
    narrator._console = Console(file=io.StringIO(), force_terminal=True, width=20, highlight=False)
    narrator.update("Pulling    a 1%")
    narrator.update("Pulling    a 2% of very much")
    narrator.say("Running")
    narrator.say("Stopped")
    printed = narrator._console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO of above
    assert printed == "\rPulling    a 1%\x1b[K\rPulling    a 2% of \x1b[K\nRunning\nStopped\n"
