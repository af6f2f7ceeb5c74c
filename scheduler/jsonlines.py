"""Lines of JSON that a job writes: they may hold anything, and must not harm a reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from scheduler.json_values import is_shallow

MOST_BYTES = 1024 * 1024
"""Longest line; longer ones are skipped."""
MOST_DEPTH = 32
"""Deepest nesting of objects and lists; lines nested deeper are skipped."""


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines from where `file` stands, with their ends; only a newline ends one."""
    while line := file.readline(MOST_BYTES + 1):
        if len(line) <= MOST_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MOST_BYTES)


def record(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None for anything else, such as half a line."""
    if len(line) > MOST_BYTES:
        return None
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and is_shallow(value, MOST_DEPTH) else None
