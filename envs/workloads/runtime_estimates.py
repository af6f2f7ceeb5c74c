"""Runtime estimators of simulations: from a true runtime to what the scheduler believes.

Only these functions see both. Decisions get their results and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np

from envs.workloads.base import Arrival, WorkloadRun
from scheduler.decisions.kernel.arithmetic import exp, ln
from scheduler.domain.errors import InputError
from scheduler.estimates.estimator import DEFAULT_S
from scheduler.estimates.learned import Group, GroupQuantiles, JobFacts

SHORTEST_S = 1.0
"""No estimate is below this."""
SHORTEST_KNOWN_S = 1e-3
"""No runtime that is remembered is below this."""


class RuntimeEstimator(Protocol):
    """Estimates of one simulation. Each end of a job is reported, in order of time."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """Estimated seconds of a run of the job; called when the job arrives."""

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Report that the job has ended after `runtime_s` of work."""

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """A new estimate, above `elapsed_s`, for a job that outlives its estimate."""


class Exact:
    """The true runtimes: no estimator can be better."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The true runtime."""
        return run.runtime_s

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Ignore it: there is nothing to learn."""

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """A tenth more than has passed (only after failures or preemption)."""
        return _longer(elapsed_s)


class Noisy(Exact):
    """The truth times a log-normal factor of median 1, drawn per job: exp(σ·N(0, 1))."""

    def __init__(self, sigma: float = 0.5, seed: int = 0) -> None:
        self._sigma = sigma
        self._seed = seed
        self._factors: dict[int, float] = {}

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """One factor for all of a job's runs: what is unknown is its amount of work."""
        factor = self._factors.get(job.id)
        if factor is None:
            factor = self._factors[job.id] = math.exp(self._sigma * _normal(self._seed, job.id))
        return max(SHORTEST_S, run.runtime_s * factor)


class Requested(Exact):
    """What the user asked for, scaled like the true runtimes between a job's runs."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The user's request; the true runtime where there is none."""
        if job.requested_s is None:
            return run.runtime_s
        first = job.runs[0]
        if run is first or first.runtime_s <= 0:
            return max(SHORTEST_S, job.requested_s)
        return max(SHORTEST_S, job.requested_s * run.runtime_s / first.runtime_s)


class Tsafrir(Requested):
    """The mean of the user's last two runtimes, at most the request.

    Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user
    runtime estimates", TPDS 18(6), 2007. A job that outlives its prediction gets
    the next of a fixed series of longer times, up to its request (section 4.2).
    """

    STEPS_S = (60, 300, 900, 1800, 3600, 7200, 18_000, 36_000, 72_000, 144_000, 360_000)
    """Added to the elapsed time in turn."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, ...]] = {}

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The user's mean; the request until two of the user's jobs have ended."""
        requested = super().estimate(job, run)
        last = self._last.get(job.user, ())
        if len(last) < 2:
            return requested
        return max(SHORTEST_S, min(requested, sum(last) / 2))

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Remember the user's last two runtimes."""
        self._last[job.user] = (*self._last.get(job.user, ())[-1:], runtime_s)

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """The next step, at most the request."""
        limit = max(job.requested_s or math.inf, _longer(elapsed_s))
        for step in self.STEPS_S:
            if estimate_s + step > elapsed_s:
                return min(estimate_s + step, limit)
        return min(_longer(elapsed_s), limit)


class RuntimeHistory(Requested):
    """The geometric mean of the last runs of the same kind of work on the same way of running.

    Until the kind has been seen: what was expected on record, else the request, else the true
    runtime with noise `sigma`, like a first guess from a model's size.
    """

    def __init__(self, sigma: float = 0.7, seed: int = 0, memory: int = 10) -> None:
        self._first = Noisy(sigma, seed)
        self.memory = memory
        """Runs of each kind that it remembers."""
        self._ratios: dict[str, list[float]] = {}

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The kind's mean, scaled between devices like true runtimes: their rates are known."""
        logs = self._ratios.get(job.kind)
        if not logs:
            if job.expected_s is not None:
                return _scaled(job.expected_s, job, run)
            if job.requested_s is not None:
                return super().estimate(job, run)
            return self._first.estimate(job, run)
        best = min(way.runtime_s for way in job.runs)
        return max(SHORTEST_S, exp(sum(logs) / len(logs)) * run.runtime_s / best)

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Remember the kind's last runs, as times on its best device."""
        logs = self._ratios.setdefault(job.kind, [])
        logs.append(ln(max(min(way.runtime_s for way in job.runs), SHORTEST_KNOWN_S)))
        del logs[: -self.memory]


class Learned(Requested):
    """The median of `scheduler.estimates.learned`, at most the request: as in the service.

    It learns from every job that ends. Until some have ended: the request, else what was expected
    on record, else the service's default. Never the truth.
    """

    def __init__(self) -> None:
        self._runtimes = GroupQuantiles()
        self._foreseen: tuple[int, float | None] = (0, None)
        """The job that arrived last, and seconds on its best device."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The median, scaled between devices like true runtimes: their rates are known."""
        unlearned = super().estimate(job, run)
        if job.requested_s is None:
            expected_s = DEFAULT_S if job.expected_s is None else job.expected_s
            unlearned = _scaled(expected_s, job, run)
        if self._foreseen[0] != job.id:
            prediction = self._runtimes.predict(groups_of(job))
            self._foreseen = job.id, None if prediction is None else prediction.median
        best_s = self._foreseen[1]
        if best_s is None:
            return unlearned
        learned = best_s * run.runtime_s / min(way.runtime_s for way in job.runs)
        return max(SHORTEST_S, min(learned, unlearned) if job.requested_s else learned)

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Learn its time on its best device."""
        best_s = max(min(way.runtime_s for way in job.runs), SHORTEST_KNOWN_S)
        self._runtimes.end(groups_of(job), ln(best_s))

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """The request, which the estimate was below; beyond it, or without one, twice its age."""
        if job.requested_s is not None and job.requested_s > elapsed_s:
            return job.requested_s
        return 2.0 * max(elapsed_s, SHORTEST_S)


def groups_of(job: Arrival) -> tuple[Group, ...]:
    """The groups of a job, for `scheduler.estimates.learned`."""
    devices = tuple(dict.fromkeys(run.device for run in job.runs))
    width = min(run.width for run in job.runs)
    return JobFacts(job.user, job.project, job.kind, width, devices, job.requested_s).groups()


ESTIMATORS: Mapping[str, Callable[..., RuntimeEstimator]] = {
    "exact": Exact,
    "noisy": Noisy,
    "requested": Requested,
    "tsafrir": Tsafrir,
    "history": RuntimeHistory,
    "learned": Learned,
}


def estimator(name: str, **parameters: float) -> RuntimeEstimator:
    """A new estimator by name. Raises `InputError` naming the legal names or parameters."""
    try:
        make = ESTIMATORS[name]
    except KeyError:
        legal = ", ".join(ESTIMATORS)
        raise InputError(f"no estimator {name!r}", {"estimates.name": f"one of {legal}"}) from None
    try:
        return make(**parameters)
    except TypeError as error:
        raise InputError(f"estimator {name!r}: {error}", {"estimates": str(error)}) from None


@lru_cache(maxsize=2**17)
def _normal(seed: int, job: int) -> float:
    """N(0, 1) of a seed; cached, as training repeats workloads and a generator is slow to make."""
    return float(np.random.default_rng((seed, job)).standard_normal())


def _scaled(seconds: float, job: Arrival, run: WorkloadRun) -> float:
    """Seconds of the job's first run, for another one."""
    return max(SHORTEST_S, seconds * (run.runtime_s / max(job.runs[0].runtime_s, 1e-9)))


def _longer(elapsed_s: float) -> float:
    return elapsed_s + max(SHORTEST_S, 0.1 * elapsed_s)
