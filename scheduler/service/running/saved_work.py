"""What a running attempt has saved: the part of its work that a later attempt need not repeat."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scheduler.files import regular
from scheduler.jsonlines import record

TAIL = 64 * 1024
"""Bytes read from the end of an attempt's metrics: the reports of several minutes."""
MOST_FILES = 1000
"""Files of a checkpoint folder that are looked at."""


@dataclass(frozen=True, slots=True)
class SavedWork:
    """The newest checkpoint of an attempt."""

    time: float
    """Unix seconds."""
    fraction: float
    """Share of the job that it holds, 0 … 1."""


def saved_work(attempt: Path, checkpoints: Path, since: float) -> SavedWork | None:
    """What the attempt in folder `attempt` has saved after `since` (Unix seconds).

    The newest line of kind `checkpoint` in its metrics says so. Work that writes none has saved
    when a file in `checkpoints` changed: all that was done by its last report before.
    """
    reports = list(_reports(attempt / "metrics.jsonl"))
    marks = [saved for kind, saved in reports if kind == "checkpoint" and saved.time >= since]
    if marks:
        return marks[-1]
    changed = _changed(checkpoints)
    if changed is None or changed < since:
        return None
    done = [one.fraction for kind, one in reports if kind == "progress" and one.time <= changed]
    return SavedWork(changed, done[-1] if done else 0.0)


def _reports(metrics: Path) -> Iterator[tuple[str, SavedWork]]:
    """The lines of the file's end that tell a share of the work, with their kinds, in order."""
    try:
        with regular(metrics) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        value = record(line) or {}
        kind = value.get("kind")
        if kind not in ("checkpoint", "progress"):
            continue
        try:
            fraction, at = float(value["fraction"]), float(value["time"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # the tail cuts it, the job is writing it, or the job wrote something else
        if math.isfinite(fraction) and math.isfinite(at):
            yield kind, SavedWork(at, min(max(fraction, 0.0), 1.0))


def _changed(folder: Path) -> float | None:
    """When a file in the folder changed last, Unix seconds; None if it holds none."""
    try:
        with os.scandir(folder) as entries:
            times = [
                entry.stat(follow_symlinks=False).st_mtime
                for entry in islice(entries, MOST_FILES)
                if entry.is_file(follow_symlinks=False)
            ]
    except OSError:
        return None
    return max(times, default=None)
