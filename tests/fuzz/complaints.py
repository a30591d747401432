"""What the processes under test log that nobody's input should make them log: errors, and anything with a traceback."""

import contextlib
import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

ERRORS = frozenset({"error", "critical", "exception"})


class Complaints(logging.Handler):
    """Collects the complaints of structlog and of the standard library's loggers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of the standard library."""
        if record.levelno >= logging.ERROR or record.exc_info:
            self._hear(self.format(record))

    def process(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog that lets nothing through."""
        if method in ERRORS or event.get("exc_info"):
            self._hear(repr(dict(event)))
        raise structlog.DropEvent

    def _hear(self, text: str) -> None:
        if len(self.heard) < 20:
            self.heard.append(text)


@contextlib.contextmanager
def listening() -> Iterator[Complaints]:
    """Collect inside the block; nothing is printed meanwhile."""
    complaints = Complaints()
    root = logging.getLogger()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, complaints.process],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root.addHandler(complaints)
    try:
        yield complaints
    finally:
        root.removeHandler(complaints)
        structlog.configure(**before)
