"""Metrics of a simulated policy; each is one figure of a whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from envs.gym.episodes import scales_of
from envs.scenarios import Objective
from envs.simulator.results import SimulationResult
from scheduler.arrays import Bools, Floats

STARVED_S = 86_400.0
"""Default limit: a job that waits longer counts as starved."""


class Unit(StrEnum):
    """Unit of a metric."""

    SECONDS = "s"
    RATIO = ""
    SHARE = "share"
    """0 … 1."""
    DOLLARS = "$"
    JOULES = "J"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class MetricView:
    """A run, with what its metrics depend on."""

    outcome: SimulationResult
    preference: float
    """Preference of the cluster: 0 cheapest … 1 fastest."""
    objective: Objective | None = None
    starved_s: float = STARVED_S


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run; nan if it does not apply."""

    name: str
    """Name of the column in CSV and JSON."""
    title: str
    """Name in tables."""
    unit: Unit
    of: Callable[[MetricView], float]
    meaning: str
    """One sentence, with the source of the formula."""
    less: bool = True
    """Whether less is better."""
    compared: bool = True
    """Whether policies are compared by it; if not, it describes the regime."""
    rare: bool = False
    """Whether it is left out where it is 0 under every policy."""

    def applies(self, figures: Iterable[float]) -> bool:
        """Whether figures of runs say anything: one must be known, and above 0 of a rare metric."""
        known = [one for one in figures if not np.isnan(one)]
        return any(known) if self.rare else bool(known)


REGIME = ("utilisation", "queue_mean", "queue_max", "waiting")
"""Metrics that say how busy the cluster was, that is, what a result holds for."""


def metrics_of(view: MetricView) -> dict[str, float]:
    """Every metric of a run: name → value."""
    return {each.name: float(each.of(view)) for each in METRICS.values()}


def total_dollars(outcome: SimulationResult) -> float:
    """Cost of the jobs, and of nodes billed while no job ran on them."""
    return float(outcome.dollars.sum()) + outcome.idle_dollars


def dollars_per_job(outcome: SimulationResult) -> float:
    """The cost side of the objective; nan without jobs."""
    return _divided(total_dollars(outcome), len(outcome.job))


def objective_per_job(
    outcome: SimulationResult, objective: Objective | None, preference: float
) -> float:
    """The objective ÷ the number of jobs; nan without an objective or without jobs."""
    if objective is None:
        return np.nan
    return _divided(scales_of(objective).value(outcome, preference), len(outcome.job))


def _due(view: MetricView) -> Bools:
    due: Bools = np.isfinite(view.outcome.deadline)
    return due


def _late(view: MetricView) -> Bools:
    """Whether each job ended after its deadline."""
    return view.outcome.ended > view.outcome.deadline


def _misses(view: MetricView) -> float:
    return _divided(float(_late(view).sum()), float(_due(view).sum()))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


def _at(values: Floats, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else np.nan


def _divided(above: float, below: float) -> float:
    return above / below if below else np.nan


METRICS: Mapping[str, Metric] = {
    each.name: each
    for each in (
        Metric(
            "jct_s",
            "JCT",
            Unit.SECONDS,
            lambda v: _mean(v.outcome.jct),
            "Job completion time: from submission to end, mean over jobs.",
        ),
        Metric(
            "wait_s",
            "Wait",
            Unit.SECONDS,
            lambda v: _mean(v.outcome.wait),
            "From submission to the first start, mean over jobs.",
        ),
        Metric(
            "wait_p95_s",
            "Wait p95",
            Unit.SECONDS,
            lambda v: _at(v.outcome.wait, 0.95),
            "Wait that 95 % of the jobs stay below.",
        ),
        Metric(
            "bsld_mean",
            "BSLD mean",
            Unit.RATIO,
            lambda v: _mean(v.outcome.bounded_slowdown),
            "Bounded slowdown max(1, time in the system / max(runtime, 10 s)) "
            "(Feitelson, JSSPP 2001), mean over jobs.",
        ),
        Metric(
            "bsld_median",
            "BSLD median",
            Unit.RATIO,
            lambda v: _at(v.outcome.bounded_slowdown, 0.5),
            "Bounded slowdown that half of the jobs stay below.",
        ),
        Metric(
            "bsld_p95",
            "BSLD p95",
            Unit.RATIO,
            lambda v: _at(v.outcome.bounded_slowdown, 0.95),
            "Bounded slowdown that 95 % of the jobs stay below.",
        ),
        Metric(
            "bsld_p99",
            "BSLD p99",
            Unit.RATIO,
            lambda v: _at(v.outcome.bounded_slowdown, 0.99),
            "Bounded slowdown that 99 % of the jobs stay below.",
        ),
        Metric(
            "slowdown_mean",
            "Slowdown",
            Unit.RATIO,
            lambda v: _mean(v.outcome.slowdown),
            "Time in the system over the least runtime that the job could have on this cluster, "
            "bounded alike, mean over jobs: a slow device counts as a delay.",
        ),
        Metric(
            "longest_wait_s",
            "Longest wait",
            Unit.SECONDS,
            lambda v: float(v.outcome.wait.max()) if len(v.outcome.job) else np.nan,
            "Of any job, to its first start.",
        ),
        Metric(
            "starved",
            "Starved",
            Unit.JOBS,
            lambda v: float((v.outcome.wait > v.starved_s).sum()),
            "Jobs that waited for longer than the limit in the manifest.",
        ),
        Metric(
            "failed",
            "Failed",
            Unit.JOBS,
            lambda v: float(v.outcome.failed.sum()),
            "Jobs whose last attempt that was allowed has failed.",
        ),
        Metric(
            "wasted_s",
            "Wasted",
            Unit.SECONDS,
            lambda v: float(v.outcome.wasted.sum()),
            "Seconds of attempts that were lost to failures, preemptions and breakdowns: repeated "
            "work and restarts, of all jobs.",
            rare=True,
        ),
        Metric(
            "missed",
            "Late jobs",
            Unit.JOBS,
            lambda v: float(_late(v).sum()) if _due(v).any() else np.nan,
            "Jobs with a deadline that ended after it.",
        ),
        Metric(
            "misses",
            "Missed",
            Unit.SHARE,
            _misses,
            "Share of the jobs with a deadline that ended after it.",
        ),
        Metric(
            "dollars",
            "Cost",
            Unit.DOLLARS,
            lambda v: total_dollars(v.outcome),
            "Of all jobs, and of nodes billed while none ran on them.",
        ),
        Metric(
            "joules",
            "Energy",
            Unit.JOULES,
            lambda v: float(v.outcome.joules.sum()) + v.outcome.idle_joules,
            "Of all attempts, and of devices that were up while none used them.",
        ),
        Metric(
            "utilisation",
            "Utilisation",
            Unit.SHARE,
            lambda v: v.outcome.utilisation,
            "Device time of the runs that ended jobs, of all device time from the first "
            "submission to the last end.",
            less=False,
        ),
        Metric(
            "queue_mean",
            "Queue mean",
            Unit.JOBS,
            lambda v: v.outcome.queue_mean,
            "Jobs that wait for their first start, mean over the time from the first submission to "
            "the last end.",
            compared=False,
        ),
        Metric(
            "queue_max",
            "Queue max",
            Unit.JOBS,
            lambda v: float(v.outcome.queue_max) if len(v.outcome.job) else np.nan,
            "The most jobs that wait for their first start at one time.",
            compared=False,
        ),
        Metric(
            "waiting",
            "Waiting",
            Unit.SHARE,
            lambda v: _divided(float(v.outcome.wait.sum()), float(v.outcome.jct.sum())),
            "Share of the latency that is waiting: mean wait ÷ mean job completion time.",
            compared=False,
        ),
        Metric(
            "fairness",
            "Fairness",
            Unit.RATIO,
            lambda v: v.outcome.fairness,
            "Jain's index over the users' mean slowdowns: 1 all alike … 1/users "
            "(Jain, Chiu, Hawe, DEC-TR-301, 1984).",
            less=False,
        ),
        Metric(
            "makespan_s",
            "Makespan",
            Unit.SECONDS,
            lambda v: v.outcome.makespan,
            "From the first submission to the last end.",
        ),
        Metric(
            "objective",
            "Objective",
            Unit.RATIO,
            lambda v: objective_per_job(v.outcome, v.objective, v.preference),
            "w · mean latency / its scale + (1 − w) · dollars per job / their scale, with the "
            "preference w of the run, and for each missed deadline per job what the scenario says; "
            "the latency is the JCT weighed by priority ÷ 50, or the bounded slowdown.",
        ),
    )
}
"""Name → metric, in the order of the columns."""
