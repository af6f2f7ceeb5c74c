"""What becomes of an attempt whose supervisor is gone."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord, RunningRecord
from scheduler.executors.local.supervision import worker
from scheduler.executors.local.system import process

PATIENCE_S = 5.0
"""For killed processes to be gone."""
_log = logging.getLogger(__name__)


def bury(folder: Path, running: RunningRecord | None) -> ExitRecord:
    """End what is left of the attempt, and record how it ended.

    Work that said how it ended has ended so, whatever was killed afterwards. Work past its time
    limit met that limit, or it would be done again for as long. Else it is lost.
    `running` is None if nobody knows who ran it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while remains := _remains(folder, running):
        process.kill(remains)
        if time.monotonic() > deadline:
            _log.error("processes %s of %s cannot be killed", remains, folder)
            break
        time.sleep(0.01)
    exit_ = _end(folder, running)
    try:
        files.write_exit(folder, exit_)
    except OSError:
        _log.exception("the end of %s could not be recorded", folder)
    return exit_


def _remains(folder: Path, running: RunningRecord | None) -> list[int]:
    tag = worker.tag_of(folder)
    found = process.leftovers(running.worker if running else None, tag)
    if running is None and (unknown := claim.runner(folder)) is not None:
        pid = unknown.supervisor.pid
        found += [*process.descendants(pid), pid]
    return found


def _end(folder: Path, running: RunningRecord | None) -> ExitRecord:
    started = files.read_started(folder)
    # Another boot began the monotonic clock again.
    measured = running is not None and running.worker.this_boot
    runtime_s, now = files.elapsed(started) if measured else (None, time.time())
    begun = started.get("time")
    if not measured and (sign := files.last_sign_of_life(folder)) is not None:
        # Nobody pays for the time after it, in which the machine was off.
        now = min(now, max(sign, begun or sign))
    pid = running.worker.pid if running else None
    outcome = files.read_outcome(folder)
    if outcome is not None and outcome[0].code == 0:
        ended_at = min(outcome[1], now)
        ran_s = None if begun is None else max(0.0, ended_at - begun)
        return ExitRecord(
            ended_at, "exit code 0", True, code=0, started_at=begun, runtime_s=ran_s, pid=pid
        )
    limit_s = _time_limit_s(folder)
    overdue = limit_s is not None and runtime_s is not None and runtime_s >= limit_s
    if overdue:
        reason = "time limit"
    elif running is None:
        reason = "lost: its files are damaged"
    else:
        reason = "lost: its supervisor was killed or the machine restarted"
    return ExitRecord(now, reason, lost=not overdue, started_at=begun, runtime_s=runtime_s, pid=pid)


def _time_limit_s(folder: Path) -> float | None:
    try:
        limit_s = files.read_spec(folder).time_limit_s
    except (ValueError, KeyError, TypeError):
        return None
    return limit_s if isinstance(limit_s, int | float) else None
