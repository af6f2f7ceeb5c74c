"""What remains of an attempt whose supervisor died: nobody, and a record of the end."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from scheduler.executors.local import folder as files
from scheduler.executors.local import process, worker
from scheduler.executors.local.folder import Exit, Running

_log = logging.getLogger(__name__)


def bury(folder: Path, running: Running) -> Exit:
    """End what a killed supervisor left, and record that the attempt is lost."""
    deadline = time.monotonic() + 5.0
    while remains := process.leftovers(running.worker, worker.tag(folder)):
        process.kill(remains)
        if time.monotonic() > deadline:
            _log.error("processes %s of %s cannot be killed", remains, folder)
            break
        time.sleep(0.01)
    begun = files.read(folder / files.STARTED) or {}
    # Another boot began the monotonic clock again.
    runtime_s, ended_at = files.elapsed(begun) if running.worker.this_boot else (None, time.time())
    limit_s = _time_limit_s(folder)
    overdue = limit_s is not None and runtime_s is not None and runtime_s >= limit_s
    exit_ = Exit(
        ended_at,
        "time limit" if overdue else "lost: its supervisor was killed or the machine restarted",
        lost=not overdue,
        started_at=begun.get("time"),
        runtime_s=runtime_s,
        pid=running.worker.pid,
    )
    try:
        files.write_exit(folder, exit_)
    except OSError:
        _log.exception("the end of %s could not be recorded", folder)
    return exit_


def _time_limit_s(folder: Path) -> float | None:
    try:
        return files.read_order(folder).time_limit_s
    except (OSError, ValueError, KeyError, TypeError):
        return None
