"""What an attempt that ended well teaches."""

from __future__ import annotations

from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement


def measured(job: Job, attempt: Attempt, pool: Pool) -> Measurement:
    """What a succeeded attempt teaches about the rate of its work."""
    begun, ended = attempt.started_at or attempt.placed_at, attempt.finished_at or 0.0
    result = attempt.result or {}
    samples, overhead = result.get("samples"), result.get("overhead_s")
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
