"""One training of a series: its folder, and whether there is anything new to learn from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.settings import Settings

SEEN = "seen.json"
"""In the series' folder: the newest job that the last training could learn from."""
_JOB = "FULCRUM_JOB"


def folder(series: Path) -> Path:
    """The folder of this job's training: a further attempt of the job finds it again."""
    return series / f"job-{os.environ[_JOB]}"


def seen(series: Path) -> float:
    """When the newest job succeeded that the last training could learn from; 0 before the first."""
    try:
        return float(json.loads((series / SEEN).read_text(encoding="utf-8"))["succeeded_at"])
    except FileNotFoundError:
        return 0.0


def note(series: Path, newest: float) -> None:
    """Note what a training of the series could learn from, once it has ended."""
    from scheduler.files import write_text

    write_text(series / SEEN, json.dumps({"succeeded_at": newest}) + "\n")


def newest(settings: Settings) -> float:
    """When the newest job succeeded that does not work on policies; 0 without one."""
    from api.policy_jobs import PolicyJob
    from scheduler import bootstrap
    from scheduler.domain.lifecycle import JobState
    from scheduler.store.base import JobQuery

    last, before = 0.0, None
    store = bootstrap.history(settings)
    try:
        while page := store.jobs(JobQuery(states=[JobState.SUCCEEDED]), before=before, limit=500):
            others = (job for job in page if PolicyJob.of(job.spec.work.get("argv", ())) is None)
            last = max([last, *(job.finished_at or 0.0 for job in others)])
            before = page[-1].id
    finally:
        store.close()
    return last
