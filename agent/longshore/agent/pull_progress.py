"""How far a pull is, from the lines with which the engine tells of it. Pure; forward only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FETCHING = "Downloading"
_FETCHED = frozenset({"Download complete", "Verifying Checksum", "Extracting", "Pull complete"})
_DIGEST = "Digest: "
_DONE = "Status: "


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of layers that came, of those that are known to be fetched. The total grows while the engine finds out about layers."""

    downloaded: int
    total: int
    layers: int = 0
    """Layers that are fetched or being fetched; those that were on the host do not count."""


NOTHING = Progress(0, 0)

QUIET_S = 1.0
"""A pull that takes no longer is not told of: it is over before anybody has read it."""
PACE_S = 1.5
"""The least pause between two reports of one pull."""
PACE_SHARE = 0.02
"""The same as a share of how long it has taken, so that a pull of hours makes hundreds of reports and not thousands."""


@dataclass(slots=True)
class Pace:
    """When a pull is to be told of."""

    began: float
    """Seconds by any clock that only goes forward."""
    told: float | None = None

    def due(self, now: float) -> bool:
        """Whether it is to be told of now, which then counts as done."""
        taken = now - self.began
        if taken < QUIET_S or (self.told is not None and now - self.told < max(PACE_S, taken * PACE_SHARE)):
            return False
        self.told = now
        return True


def forward(before: Progress, now: Progress) -> Progress:
    """What is shown after `before`: a pull that begins again does not go back."""
    total = max(before.total, now.total)
    return Progress(min(total, max(before.downloaded, now.downloaded)), total, max(before.layers, now.layers))


@dataclass(slots=True)
class Told:
    """What the engine has told of one pull so far."""

    digest: str = ""
    """Digest of what was asked for; empty until it is told."""
    complete: bool = False
    """Whether the engine has said that it is done: an answer that just ends is none."""
    _layers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> bool:
        """Take in a line; True where it moves the progress."""
        status = str(line.get("status", ""))
        layer = str(line.get("id", ""))
        if status == FETCHING:
            return self._fetching(layer, line.get("progressDetail") or {})
        if status in _FETCHED and layer in self._layers:
            _, total = self._layers[layer]
            moved = self._layers[layer] != (total, total)
            self._layers[layer] = (total, total)
            return moved
        if status.startswith(_DIGEST):
            self.digest = status.removeprefix(_DIGEST)
        self.complete = self.complete or status.startswith(_DONE)
        return False

    def _fetching(self, layer: str, detail: Mapping[str, Any]) -> bool:
        current, total = int(detail.get("current", 0)), int(detail.get("total", 0))
        self._layers[layer] = (current, max(current, total))
        return True

    @property
    def progress(self) -> Progress:
        """How far it is."""
        layers = self._layers.values()
        return Progress(sum(current for current, _ in layers), sum(total for _, total in layers), len(self._layers))
