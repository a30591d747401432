"""How far pulls are, as `longshore run` shows it: one line that changes on a terminal, a line for each quarter elsewhere."""

from collections.abc import Mapping
from typing import Protocol

from longshore.cli import narration
from longshore.client import following
from longshore.v1 import event_pb2, task_definition_pb2


class Teller(Protocol):
    """Where lines go."""

    @property
    def live(self) -> bool:
        """Whether a line can be changed."""

    def say(self, text: str) -> None:
        """Print one line."""

    def update(self, text: str) -> None:
        """Put this line in place of the one that was put last."""


class PullLines:
    """The pulls of the tasks of one definition. Tasks that wait for the same image share its pull, more or less."""

    def __init__(self, teller: Teller, definition: task_definition_pb2.TaskDefinition) -> None:
        self._teller = teller
        self._images = {container.name: container.image for container in definition.container_definitions}
        self._progress: dict[str, event_pb2.PullProgress] = {}
        self._quarters: dict[str, int] = {}
        self._shown = ""

    def tell(self, task: following.Followed) -> None:
        """Show what a task's containers have got of their images by now."""
        for name, container in sorted(task.containers.items()):
            if container.HasField("pull_progress"):
                self._progress[self._images.get(name, name)] = container.pull_progress
                self._tell(self._images.get(name, name), container.pull_progress)

    def _tell(self, image: str, progress: event_pb2.PullProgress) -> None:
        if self._teller.live:
            text = line(self._progress)
            if text != self._shown:
                self._teller.update(text)
            self._shown = text
        elif narration.quarter(progress) > self._quarters.get(image, -1):
            self._quarters[image] = narration.quarter(progress)
            self._teller.say(narration.pulling(image, progress))


def line(progress: Mapping[str, event_pb2.PullProgress]) -> str:
    """One line for all of them."""
    if len(progress) == 1:
        ((image, only),) = progress.items()
        return narration.pulling(image, only)
    whole = event_pb2.PullProgress(
        downloaded_bytes=sum(one.downloaded_bytes for one in progress.values()),
        total_bytes=sum(one.total_bytes for one in progress.values()),
    )
    return narration.pulling(f"{len(progress)} images", whole)
