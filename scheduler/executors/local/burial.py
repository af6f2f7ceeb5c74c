"""What becomes of an attempt whose supervisor is gone."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from scheduler.executors.local import claim, process, worker
from scheduler.executors.local import folder as files
from scheduler.executors.local.folder import Exit, Running

PATIENCE_S = 5.0
"""For killed processes to be gone."""
_log = logging.getLogger(__name__)


def bury(folder: Path, running: Running | None) -> Exit:
    """End what is left of the attempt, and record how it ended.

    Work that said how it ended has ended so, whoever was killed afterwards; else it is lost.
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


def _remains(folder: Path, running: Running | None) -> list[int]:
    tag = worker.tag_of(folder)
    found = process.leftovers(running.worker if running else None, tag)
    if running is None and (unknown := claim.runner(folder)) is not None:
        pid = unknown.supervisor.pid
        found += [*process.descendants(pid), pid]
    return found


def _end(folder: Path, running: Running | None) -> Exit:
    started_at = files.read_started(folder).get("time")
    pid = running.worker.pid if running else None
    outcome = files.read_outcome(folder)
    if outcome is not None and outcome[0].code == 0:
        return Exit(outcome[1], "exit code 0", True, code=0, started_at=started_at, pid=pid)
    reason = (
        "lost: its files are damaged"
        if running is None
        else "lost: its supervisor was killed or the machine restarted"
    )
    return Exit(time.time(), reason, lost=True, started_at=started_at, pid=pid)
