"""Logs: one line each, human on a terminal and JSON elsewhere, with the correlation id and without secrets.

Everything goes through the standard library's logging, whoever writes it (uvicorn, nats-py, paho, alembic, psycopg and
our own `logging.getLogger("tidemark.…")` and `structlog.get_logger("tidemark.…")`).
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from entrypoints import correlation
from entrypoints.redaction import redacted

# They tell at `info` what is of interest to their authors.
_QUIET = ("uvicorn", "alembic", "nats", "aiomqtt", "mqtt", "psycopg", "httpx", "httpcore", "asyncio", "litestar")


def configure_logs(process: str, level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Sends all logging of this process to standard error. `process` names it on every line."""
    stream = stream or sys.stderr
    human = form == "human" or (form == "auto" and stream.isatty())

    def who(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        if id := correlation.current():
            event["correlation_id"] = id
        return event

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if human else "iso", utc=not human),
        who,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if human:
        # Without rich: its tracebacks show the values of variables, which may be secrets.
        plain = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        last += [structlog.processors.format_exc_info, redact, plain]
    else:
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
        last += [structlog.processors.format_exc_info, redact, render]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    # structlog's own loggers take the same road.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))
    # A line that cannot be written, to a closed terminal for example, is no reason to print a traceback there.
    logging.raiseExceptions = False


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The processor that blackens secrets, whoever let them slip into a line."""
    shown: EventDict = redacted(event)
    return shown
