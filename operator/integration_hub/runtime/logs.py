"""Logging: one format for our lines and every library's, through one redaction point."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor

from integration_hub.config.redaction import redact_value
from integration_hub.shell import sensitive

LogFormat = Literal["json", "console"]

_QUIET = {
    # kopf logs several lines for each event of each object at INFO and DEBUG; our own lines say the same once.
    "kopf": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
}


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Mask secrets in everything that is about to be logged. The only place where log lines are masked."""
    masked: EventDict = redact_value(event, sensitive.in_use.get())
    return masked


def configure(log_format: LogFormat, level: str, seal: Processor | None = None) -> None:
    """Send every log line, ours and the libraries', to stderr in the given format.

    `seal` sees JSON lines last, as they are written: only those can be read again.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks become text before redaction, else a secret in an exception's arguments would pass by it.
    last: list[Processor] = [structlog.processors.format_exc_info, redact]
    if log_format == "json":
        last += [seal] if seal else []
        renderer: Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
