"""What a job that repeats another one goes on from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from scheduler.domain.errors import StateError
from scheduler.domain.jobs import Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.service.maintenance.retention import Kind, Retention


def repeated(job: Job, retention: Retention, *, from_scratch: bool) -> tuple[JobSpec, float]:
    """The spec of a job that repeats `job`, and the share of its work (0…1) that is done already.

    It goes on from the checkpoints of `job`; from those that `job` was to go on from itself, if
    it has never begun to. A job that has succeeded, or saved nothing, begins again. Raises
    `StateError` if there were checkpoints and they are gone.
    """
    fresh = replace(job.spec, resume_from=None)
    if fresh.sweep is not None:  # the new job is no trial: its sweep counts the first one
        fresh = replace(fresh, sweep=None, index=None)
    if from_scratch or job.state is JobState.SUCCEEDED:
        return fresh, 0.0
    for earlier in (job.id, job.spec.resume_from):
        if earlier is not None and _saved(retention, earlier):
            return replace(fresh, resume_from=earlier), job.progress
    pruned = retention.pruned(job, Kind.CHECKPOINTS)
    if pruned is None and not job.progress:
        return fresh, 0.0
    day = None if pruned is None else datetime.fromtimestamp(pruned, UTC)
    lost = "are gone" if day is None else f"were pruned on {day:%Y-%m-%d %H:%M} UTC"
    raise StateError(
        f"the checkpoints of job {job.id} {lost}: it cannot go on from them",
        {"from_scratch": "true (--from-scratch), to begin again"},
    )


def _saved(retention: Retention, job: int) -> bool:
    folder = retention.folders.checkpoints(job)
    try:
        return any(folder.iterdir())
    except OSError:
        return False
