"""What running and ended attempts tell the estimator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement
from scheduler.estimates.estimator import Estimator
from scheduler.files import regular
from scheduler.jsonlines import record
from scheduler.service.dispatch.live_jobs import LiveJobs
from scheduler.service.paths import Paths
from scheduler.service.running.saved_work import saved_work

TAIL = 8192
"""Bytes read from the end of the file: some dozens of lines."""


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """The newest progress line of an attempt."""

    fraction: float
    """Done, 0 … 1."""
    time: float
    """Unix seconds."""
    samples_per_s: float


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
        line = latest(folder / "metrics.jsonl")
        if line is not None:
            ago = max(0.0, now - line.time)
            self.estimator.progress(attempt.id, line.fraction, max(0.0, elapsed - ago))
        job = self.live_jobs.jobs.get(attempt.job)
        limit = None if job is None else job.spec.max_duration_s
        left = self.estimator.remaining(attempt.id, attempt.estimate.runtime_s, elapsed, limit)
        since = now - elapsed
        saved = saved_work(folder, self.folders.checkpoints(attempt.job), since)
        with self.live_jobs.lock:
            self.live_jobs.active.refine(attempt.job, now + left, saved)


def latest(metrics: Path) -> ProgressLine | None:
    """The last progress line of a metrics.jsonl; None if there is none yet."""
    try:
        with regular(metrics) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        value = record(line) or {}
        try:
            if value.get("kind") == "progress":
                fraction, at = float(value["fraction"]), float(value["time"])
                rate = float(value.get("samples_per_s", 0.0))
                if all(map(math.isfinite, (fraction, at, rate))):
                    return ProgressLine(min(max(fraction, 0.0), 1.0), at, rate)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # the tail cuts it, the job is writing it, or the job wrote something else
    return None


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
