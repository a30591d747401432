"""Logs as a reader gets them, and the question that asks for them. Pure; `Client.logs` reads."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from longshore.v1 import log_pb2, state_tracker_service_pb2


@dataclass(frozen=True, slots=True)
class Output:
    """Pieces that came together, in order, and the cursor after them."""

    cursor: str
    pieces: tuple[log_pb2.LogPiece, ...]
    from_tail: bool = False
    """They are the last lines that were kept: the task's host is gone, or has cleaned up."""
    truncated: bool = False
    """More was written than was kept."""


Reading: TypeAlias = AsyncGenerator[Output, None]
"""What Client.logs gives."""


def request(
    task: str,
    cluster: str,
    containers: Sequence[str],
    *,
    follow: bool,
    since: datetime | None,
    until: datetime | None,
    tail: int | None,
    timestamps: bool,
) -> state_tracker_service_pb2.ReadLogsRequest:
    """The question. Times without a zone are this machine's."""
    asked = state_tracker_service_pb2.ReadLogsRequest(
        cluster=cluster, task=task, containers=containers, follow=follow, timestamps=timestamps
    )
    if since is not None:
        asked.since.FromDatetime(since.astimezone(UTC))
    if until is not None:
        asked.until.FromDatetime(until.astimezone(UTC))
    if tail is not None:
        asked.tail = tail
    return asked
