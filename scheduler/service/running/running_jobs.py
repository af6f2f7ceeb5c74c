"""What is left of jobs that have run, as decisions see it; true runtimes never occur here."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.decisions.state.preemption import JobProgress
from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.pools import Pool
from scheduler.estimates.options import PoolEstimate
from scheduler.service.running.saved_work import SavedWork
from scheduler.workloads.spec.specs import resumable


def remaining(found: Sequence[PoolEstimate], done: float) -> Sequence[PoolEstimate]:
    """The placements of a job of which `done` (0…1) need not be done again, start-up included."""
    if done <= 0.0:
        return found
    return [one.after(done) for one in found]


def progress(job: Job, left: Sequence[PoolEstimate], service_s: float) -> JobProgress:
    """What is known of a job with the placements `left` (at least one).

    `service_s`: device-seconds of its attempts so far.
    """
    fastest = min(left, key=lambda one: one.estimate.runtime_s)
    return JobProgress(
        remaining_s=max(0.0, fastest.estimate.runtime_s - fastest.start_up_s),
        width=fastest.width,
        service_s=service_s,
        restart_s=fastest.start_up_s,
        preemptions=job.preemptions,
        can_resume=resumable(job.spec.kind, job.spec.work),
    )


def done_share(
    job: Job, attempt: Attempt, whole: Sequence[PoolEstimate], pools: Sequence[Pool], left_s: float
) -> float:
    """Share of the job (0…1) that is done, if its attempt needs `left_s` more seconds.

    `whole`: the placements of the whole job.
    """
    for one in whole:
        if (pools[one.pool].name, one.width) == (attempt.pool, attempt.width):
            work_s = max(one.estimate.runtime_s - one.start_up_s, 1e-9)
            return min(1.0, max(job.progress, 1.0 - left_s / work_s))
    return job.progress  # its pool has been removed, or its width is not offered any more


def saved_at(job: Job, saved: SavedWork | None, begun_at: float, now: float) -> float:
    """When the work was saved to which a preemption would lead back, Unix seconds.

    A training saves when it is asked to stop, and so does a command of which no checkpoint is
    known. A command that writes checkpoints as it runs is taken to hold its newest.
    """
    if saved is not None and job.spec.kind is JobKind.COMMAND:
        return min(max(saved.time, begun_at), max(now, begun_at))
    return max(now, begun_at)
