"""The log of a service: one handler and one formatter for every library, as text or JSON lines."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

LEVELS = ("debug", "info", "warning", "error")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def of_attempt(attempt: str) -> dict[str, int]:
    """The fields of a line about an attempt, by its id: `17.2` → job 17, attempt 2."""
    job, _, number = attempt.partition(".")
    return {"job": int(job), "attempt": int(number)} if job.isdigit() and number.isdigit() else {}


class LogFormat(StrEnum):
    """What a line looks like."""

    TEXT = "text"
    JSON = "json"
    """One object a line."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        content: dict[str, Any] = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """`2026-11-29T18:57:00.123Z warning scheduler.policies.guard: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and the lines of its exception below."""
        head = f"{moment(record.created)} {record.levelname.lower()} {record.name}"
        text = f"{head}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(level: str, form: LogFormat) -> None:
    """Log everything of at least this level to stderr; replaces what was configured before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(max(least, root.level))


_QUIETER: Mapping[str, int] = {
    "numba": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "asyncio": logging.WARNING,
}
"""Libraries whose lower levels say nothing to who runs the service."""


def moment(seconds: float) -> str:
    """Unix seconds as `2026-11-29T18:57:00.123Z`."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
