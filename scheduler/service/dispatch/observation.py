"""What running and ended attempts tell the estimator."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement
from scheduler.estimates.estimator import Estimator
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.paths import Paths
from scheduler.service.running.saved_work import saved_work
from scheduler.service.running.work_reports import newest_report


@dataclass(frozen=True, slots=True)
class ProgressReader:
    """Refines the estimated ends of running attempts by what they have written."""

    live_jobs: LiveJobs
    estimator: Estimator
    folders: Paths

    def read(self, now: float) -> None:
        """Look at every attempt that has started."""
        with self.live_jobs.lock:
            attempts = list(self.live_jobs.attempts.values())
        for attempt in attempts:
            if attempt.started_at is not None:
                self._follow(attempt, now)

    def _follow(self, attempt: Attempt, now: float) -> None:
        elapsed = self.live_jobs.active.elapsed(attempt, now)
        folder = self.folders.attempt(attempt.job, attempt.number)
        report = newest_report(folder / "metrics.jsonl")
        job = self.live_jobs.jobs.get(attempt.job)
        if report is not None:
            at = max(0.0, elapsed - max(0.0, now - report.time))
            done = 0.0 if job is None else job.progress
            self.estimator.progress(attempt.id, report.fraction, at, resumed=done)
        limit = None if job is None else job.spec.max_duration_s
        left = self.estimator.remaining(attempt.id, attempt.estimate.runtime_s, elapsed, limit)
        since = now - elapsed
        saved = saved_work(folder, self.folders.checkpoints(attempt.job), since)
        with self.live_jobs.lock:
            self.live_jobs.active.refine(attempt.job, now + left, saved)


def measured(job: Job, attempt: Attempt, pool: Pool) -> Measurement:
    """What an attempt that succeeded tells about the rate of its work."""
    begun, ended = attempt.started_at or attempt.placed_at, attempt.finished_at or 0.0
    result = attempt.result or {}
    samples, overhead = result.get("samples"), result.get("overhead_s")
    if job.spec.kind is JobKind.COMMAND:  # its report says 1, whatever earlier attempts had done
        samples = job.spec.profile.samples * (1.0 - job.progress)
    return Measurement(
        job=job.id,
        attempt=attempt.number,
        time=ended,
        key=job.spec.profile.key,
        pool=pool.name,
        model=pool.model,
        width=attempt.width,
        samples=float(samples) if isinstance(samples, int | float) else job.spec.profile.samples,
        seconds=max(ended - begun, 1e-3),
        overhead_s=float(overhead) if isinstance(overhead, int | float) else 0.0,
        estimated_s=attempt.estimate.runtime_s,
        source=attempt.estimate.source,
        flops_per_sample=job.spec.profile.flops_per_sample,
    )
