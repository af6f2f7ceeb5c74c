"""How far running attempts are, read from the tail of their metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from scheduler.files import regular
from scheduler.jsonlines import record

TAIL = 8192
"""Bytes read from the end of the file: some dozens of lines."""


@dataclass(frozen=True, slots=True)
class ProgressReader:
    """The newest progress line of an attempt."""

    fraction: float
    """Done, 0 … 1."""
    time: float
    """Unix seconds."""
    samples_per_s: float


def latest(metrics: Path) -> ProgressReader | None:
    """The last progress line of a metrics.jsonl; None if there is none yet."""
    try:
        with regular(metrics) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        value = record(line) or {}
        try:
            if value.get("kind") == "progress":
                fraction, at = float(value["fraction"]), float(value["time"])
                rate = float(value.get("samples_per_s", 0.0))
                if all(map(math.isfinite, (fraction, at, rate))):
                    return ProgressReader(min(max(fraction, 0.0), 1.0), at, rate)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # cut at the front of the tail, being written, or of somebody's own making
    return None
