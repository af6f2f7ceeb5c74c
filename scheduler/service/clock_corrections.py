"""Corrections of stored times after the machine's clock was set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scheduler.domain.jobs import Attempt, Job


class ClockCorrections:
    """Seconds to add to the times of jobs and attempts, so that durations stay true.

    The store keeps the time that the clock showed.
    """

    def __init__(self) -> None:
        self._seconds: dict[int | str, float] = {}
        """By job number or attempt id."""

    def shift(self, seconds: float, noted: Iterable[int | str]) -> None:
        """The clock was set forward by `seconds` (back: negative) after these times."""
        for key in noted:
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds

    def submitted_at(self, job: Job) -> float:
        """When the job was submitted, as the clock reads today."""
        return job.submitted_at + self._seconds.get(job.id, 0.0)

    def begun_at(self, attempt: Attempt) -> float:
        """When the attempt started or, before that, was placed, as the clock reads today."""
        return (attempt.started_at or attempt.placed_at) + self._seconds.get(attempt.id, 0.0)

    def forget(self, *ended: int | str) -> None:
        """Drop what is no longer needed."""
        for key in ended:
            self._seconds.pop(key, None)


def delayed(job: Job, seconds: float) -> Job:
    """The job with its retry pause moved together with the clock; set times of day stay."""
    return replace(job, eligible_at=job.eligible_at + seconds) if job.failures else job


def bounded(job: Job, now: float) -> Job:
    """The job with a retry pause that is no longer than its policy says, whatever the clock did."""
    if not job.failures:
        return job
    most = now + job.spec.retry.delay(job.failures)
    return replace(job, eligible_at=most) if job.eligible_at > most else job
