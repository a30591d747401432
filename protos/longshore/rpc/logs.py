"""Logging: structlog, JSON unless a person watches, secrets left out.

Called once by each `__main__`; libraries only `structlog.get_logger(__name__)`. Records of the standard library's logging (gRPC, asyncio,
third parties) go the same way.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

from longshore.rpc import log_files, settings

_MEBIBYTE = 1024 * 1024

FILE_LIMIT = 10 * _MEBIBYTE
"""Bytes of a log file before it is rotated."""

FILES_KEPT = 5
"""Rotated files beside the current one."""

_SECRET_WORDS = ("environment", "credential", "password", "passwd", "token", "secret", "authorization", "private_key")
"""A key that contains one of these is never logged with its value."""

_CHATTY = ("asyncio", "grpc._cython.cygrpc", "aiodocker", "urllib3")
"""Loggers of others that tell at debug what only their authors want to know."""

_DEPTH = 6
"""How deep into nested values the redaction looks; what lies deeper is left out whole."""


def configure(
    *,
    level: str = "info",
    file: Path | None = None,
    stream: TextIO | None = None,
    as_json: bool | None = None,
    logfmt: bool = False,
    file_limit: int | None = None,
    files_kept: int | None = None,
) -> None:
    """Set up logging of the process. Raises OSError where the file cannot be written.

    Args:
        level: least level, by name.
        file: write to this file instead of a stream, rotated by size. Its folder is made.
        stream: where to write, standard output unless given.
        as_json: one JSON object a line, or columns for people; decided by whether the stream is a terminal unless given.
        logfmt: one line of `key=value` instead of either.
        file_limit: bytes of the file before it is rotated.
        files_kept: rotated files beside the current one.
    """
    target = stream if stream is not None else sys.stdout
    handler: logging.Handler
    if file is not None:
        handler = log_files.RotatingFile(
            file,
            limit=FILE_LIMIT if file_limit is None else file_limit,
            kept=FILES_KEPT if files_kept is None else files_kept,
        )
    else:
        handler = logging.StreamHandler(target)
    plain = as_json if as_json is not None else (file is not None or not target.isatty())
    shared = _shared_processors()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json=plain, logfmt=logfmt),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def configure_process(process: settings.Process, file: Path | None) -> None:
    """Set up logging as a process's settings say, to this file where there is one. Raises OSError."""
    configure(
        level=process.log_level,
        file=file,
        as_json=True if process.log_format == "json" else None,
        logfmt=process.log_format == "logfmt",
        file_limit=process.log_max_file_size_mb * _MEBIBYTE,
        files_kept=process.log_max_roll_count,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the values of secret-ish keys, at any depth, are replaced; passwords leave URLs."""
    for key, value in event.items():
        if key != "event":
            event[key] = settings.REDACTED if _is_secret(key) else _redacted(value, _DEPTH)
    return event


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]


def _renderers(*, as_json: bool, logfmt: bool) -> list[Any]:
    if logfmt:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event", "logger"], bool_as_flag=False
            ),
        ]
    if as_json:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    # Not structlog's default, which shows the values of local variables: credentials and callers' documents are among them.
    return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def _is_secret(key: object) -> bool:
    lowered = str(key).lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _redacted(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return settings.redacted_url(value) if "://" in value else value
    if isinstance(value, Mapping):
        if depth == 0:
            return settings.REDACTED
        return {k: settings.REDACTED if _is_secret(k) else _redacted(v, depth - 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        if depth == 0:
            return settings.REDACTED
        return [_redacted(part, depth - 1) for part in value]
    return value
