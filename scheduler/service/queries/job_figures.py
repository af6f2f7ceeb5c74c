"""What jobs have cost and reached so far, and how far their running attempts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.transitions import spent
from scheduler.json_values import finite
from scheduler.service.dispatch.event_handlers import removed_pool
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.paths import Paths
from scheduler.service.queries.views import JobFigures, RunProgress
from scheduler.service.running.work_reports import WorkReport, newest_report
from scheduler.store.base import Store

MOST_ATTEMPTS = 100_000
"""Of all jobs of one answer."""


class JobFiguresQuery:
    """Puts the figures of jobs together from the store and from what running work has written."""

    def __init__(self, store: Store, live_jobs: LiveJobs, folders: Paths) -> None:
        self._store = store
        self._live_jobs = live_jobs
        self._folders = folders

    def of(self, jobs: Sequence[Job], now: float) -> list[JobFigures]:
        """In the order of the jobs; `now`: Unix seconds."""
        numbers = [job.id for job in jobs if job.attempts]
        attempts: dict[int, list[Attempt]] = {}
        if numbers:
            found = self._store.find_attempts(jobs=numbers, limit=MOST_ATTEMPTS)
            for attempt in found:
                attempts.setdefault(attempt.job, []).append(attempt)
        return [self._figures(job, attempts.get(job.id, ()), now) for job in jobs]

    def _figures(self, job: Job, attempts: Sequence[Attempt], now: float) -> JobFigures:
        """`attempts`: the newest first."""
        newest = max(attempts, default=None, key=lambda one: one.number)
        if newest is None:
            return JobFigures(0.0, 0.0, None)
        runs = newest.started_at is not None and newest.finished_at is None
        running = newest if runs else None
        usage = [(one.dollars or 0.0, one.joules or 0.0) for one in attempts]
        if running is not None:
            pool = self._live_jobs.pool(running.pool) or removed_pool(running)
            usage.append(spent(running.width, self._elapsed(running, now), pool))
        accuracy, report = _accuracy(attempts), None
        if running is not None or (accuracy is None and job.spec.kind is not JobKind.CNN_INFER):
            folder = self._folders.attempt(job.id, newest.number)
            report = newest_report(folder / "metrics.jsonl")
        epoch = None
        if accuracy is None and report is not None:
            accuracy, epoch = report.best_accuracy, report.best_epoch
        return JobFigures(
            dollars=sum(dollars for dollars, _ in usage),
            joules=sum(joules for _, joules in usage),
            accuracy=accuracy,
            best_epoch=epoch,
            running=None if running is None else self._progress(job, running, report, now),
        )

    def _elapsed(self, attempt: Attempt, now: float) -> float:
        with self._live_jobs.lock:
            return self._live_jobs.active.elapsed(attempt, now)

    def _progress(
        self, job: Job, attempt: Attempt, report: WorkReport | None, now: float
    ) -> RunProgress | None:
        """None for an attempt that has ended since the job was read."""
        with self._live_jobs.lock:
            live = self._live_jobs.attempts.get(job.id)
            if live is None or live.number != attempt.number:
                return None
            end = self._live_jobs.active.end(live, now)
        if report is None:
            return RunProgress(attempt.number, job.progress or None, end - now, end)
        return RunProgress(
            attempt=attempt.number,
            fraction=max(report.fraction, job.progress),
            left_s=end - now,
            end=end,
            epoch=report.epoch,
            epochs=report.epochs,
            batch=report.batch,
            batches=report.batches,
            samples_per_s=report.samples_per_s,
            reported_at=report.time,
        )


def _accuracy(attempts: Sequence[Attempt]) -> float | None:
    """Of the newest attempt whose result has one."""
    for attempt in attempts:
        metrics: Any = (attempt.result or {}).get("metrics")
        if isinstance(metrics, Mapping):
            found = finite(metrics.get("accuracy"))
            if found is not None:
                return found
    return None
