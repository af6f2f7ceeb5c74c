"""Workloads made of others, so that what is learned does not hold for one load only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.workloads.base import Arrival, Workload

LOADS, RUNTIMES = (0.6, 1.5), (0.6, 1.65)
"""Ranges of the factors."""


def augmented(workload: Workload, rng: np.random.Generator) -> Workload:
    """The same jobs, more or less often and longer or shorter; rigid jobs exchange their widths.

    Arrivals come `LOADS` times as often and runtimes are `RUNTIMES` times as long; the logarithms
    of both factors are uniform. Deadlines move with the runtimes.
    """
    load, longer = (float(np.exp(rng.uniform(*np.log(each)))) for each in (LOADS, RUNTIMES))
    jobs = workload.jobs
    widths = [job.runs[0].width for job in jobs]
    rigid = all(len(job.runs) == 1 for job in jobs)
    if rigid:
        widths = rng.permutation(widths).tolist()
    return replace(
        workload,
        name=f"{workload.name}, augmented",
        jobs=tuple(
            _changed(job, load, longer, width if rigid else None)
            for job, width in zip(jobs, widths, strict=True)
        ),
        origin=workload.origin / load,
    )


def _changed(job: Arrival, load: float, longer: float, width: int | None) -> Arrival:
    submitted = job.submitted_at / load
    slack = None if job.deadline is None else (job.deadline - job.submitted_at) * longer
    return replace(
        job,
        submitted_at=submitted,
        runs=tuple(
            replace(run, runtime_s=run.runtime_s * longer, width=width or run.width)
            for run in job.runs
        ),
        requested_s=None if job.requested_s is None else job.requested_s * longer,
        expected_s=None if job.expected_s is None else job.expected_s * longer,
        deadline=None if slack is None else submitted + slack,
    )
