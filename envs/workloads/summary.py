"""Figures of a workload: counts, span, load, distributions, and a picture of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.workloads.arrivals import DAY_S
from envs.workloads.base import Workload
from scheduler.arrays import Floats
from scheduler.domain.errors import InputError

_PERCENTILES = (5, 25, 50, 75, 95, 99)
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of one figure over all jobs."""

    mean: float
    std: float
    min: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class WorkloadSummary:
    """A workload in figures. Size and runtime are those of each job's first run."""

    name: str
    source: str
    jobs: int
    skipped: int
    span_s: float
    """From the first submission to the last."""
    users: int
    projects: int
    kinds: int
    deadlines: int
    """Jobs with one."""
    device_seconds: float
    processors: int | None
    load: float | None
    """Device-seconds ÷ (processors · span); None: size of the machine or span unknown."""
    devices: dict[str, int]
    """Jobs that can run on each device, most first."""
    size: Distribution
    """Devices."""
    runtime_s: Distribution
    interarrival_s: Distribution
    """All 0 if there is one job."""
    estimate_factor: Distribution | None
    """Requested over true time, of the jobs with both; None: there is none."""


def describe(workload: Workload, processors: int | None = None) -> WorkloadSummary:
    """Figures of a workload on a machine of `processors` devices.

    Raises `InputError` for a workload without jobs.
    """
    jobs = workload.jobs
    if not jobs:
        raise InputError(f"{workload.name} holds no job", {"workload": "at least one job"})
    sizes, runtimes, submitted = _columns(workload)
    span = float(submitted[-1] - submitted[0])
    work = float(sizes @ runtimes)
    factors = np.array(
        [
            job.requested_s / job.runs[0].runtime_s
            for job in jobs
            if job.requested_s is not None and job.runs[0].runtime_s > 0
        ]
    )
    devices = Counter(device for job in jobs for device in {run.device for run in job.runs})
    return WorkloadSummary(
        name=workload.name,
        source=workload.source,
        jobs=len(jobs),
        skipped=len(workload.skipped),
        span_s=span,
        users=len({job.user for job in jobs}),
        projects=len({job.project for job in jobs}),
        kinds=len({job.kind for job in jobs}),
        deadlines=sum(job.deadline is not None for job in jobs),
        device_seconds=work,
        processors=processors,
        load=work / (processors * span) if processors and span else None,
        devices=dict(devices.most_common()),
        size=_distribution(sizes),
        runtime_s=_distribution(runtimes),
        interarrival_s=_distribution(np.diff(submitted) if len(jobs) > 1 else np.zeros(1)),
        estimate_factor=_distribution(factors) if len(factors) else None,
    )


def plot(workload: Workload, path: Path | str) -> None:
    """Write a picture: sizes, runtimes, pauses between arrivals, arrivals by hour of the day.

    The name's ending (png, svg, pdf) decides the kind of file. Raises `InputError` if it cannot be
    written.
    """
    from matplotlib.figure import Figure

    sizes, runtimes, submitted = _columns(workload)
    figure = Figure(figsize=(10, 7), layout="constrained")
    ((top_left, top_right), (bottom_left, bottom_right)) = figure.subplots(2, 2)
    values, counts = np.unique(sizes, return_counts=True)
    top_left.stem(values, counts / len(sizes), basefmt=" ", markerfmt=".")
    top_left.set(xlabel="devices", ylabel="share of jobs", title="Size")
    if values.max() > 16:
        top_left.set_xscale("log", base=2)
    pauses = np.diff(submitted)
    for axes, data, title, label in (
        (top_right, runtimes, "Runtime", "seconds"),
        (bottom_left, pauses, "Interarrival time", "seconds"),
    ):
        ordered = np.sort(np.maximum(data, 1e-3))
        axes.step(ordered, np.arange(1, len(ordered) + 1) / max(1, len(ordered)), where="post")
        axes.set(xlabel=label, ylabel="share of jobs up to", title=title, xscale="log", ylim=(0, 1))
        axes.grid(visible=True, alpha=0.3)
    hours = np.bincount((submitted % DAY_S // _HOUR_S).astype(int), minlength=24)
    bottom_right.bar(np.arange(24) + 0.5, hours, width=0.9)
    bottom_right.set(
        xlabel="hour of the day, from the first job's",
        ylabel="jobs",
        title="Arrivals",
        xlim=(0, 24),
    )
    figure.suptitle(f"{workload.name}: {len(workload.jobs):,} jobs")
    try:
        figure.savefig(Path(path).expanduser(), dpi=120)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be written: {error}", {"plot": "a file ending in png, svg or pdf"}
        ) from None


def _columns(workload: Workload) -> tuple[Floats, Floats, Floats]:
    jobs = workload.jobs
    sizes = np.array([job.runs[0].width for job in jobs], dtype=float)
    runtimes = np.array([job.runs[0].runtime_s for job in jobs])
    return sizes, runtimes, np.array([job.submitted_at for job in jobs])


def _distribution(values: Floats | Sequence[float]) -> Distribution:
    data = np.asarray(values, dtype=float)
    low, q1, median, q3, high, top = (float(p) for p in np.percentile(data, _PERCENTILES))
    return Distribution(
        float(data.mean()),
        float(data.std()),
        float(data.min()),
        low,
        q1,
        median,
        q3,
        high,
        top,
        float(data.max()),
    )
