"""What the scheduler believes about runtimes: from the truth to an estimate.

Only these functions see both sides. Decisions are given their results and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np

from envs.workloads.base import Arrival, WorkloadRun
from scheduler.domain.errors import InputError

SHORTEST_S = 1.0
"""No estimate is below this."""


class RuntimeEstimator(Protocol):
    """Estimates of one simulation; told of every end, in order."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """Seconds the job is believed to take that way, asked when it arrives."""

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """The job ran for so long."""

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """The estimate of a job that has run for longer than was believed, > `elapsed_s`."""


class Exact:
    """Knows the truth: the bound that no estimator beats."""

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The true runtime."""
        return run.runtime_s

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Nothing to learn."""

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """A tenth more than what has passed (only after failures or preemption)."""
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
        """The request; the truth where there is none."""
        if job.requested_s is None:
            return run.runtime_s
        first = job.runs[0]
        if run is first or first.runtime_s <= 0:
            return max(SHORTEST_S, job.requested_s)
        return max(SHORTEST_S, job.requested_s * run.runtime_s / first.runtime_s)


class Tsafrir(Requested):
    """The mean of the user's last two runtimes, at most the request.

    Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user
    runtime estimates", TPDS 18(6), 2007. A job that outlives its prediction is believed to take
    the next of a fixed series of longer times, up to its request (section 4.2).
    """

    STEPS_S = (60, 300, 900, 1800, 3600, 7200, 18_000, 36_000, 72_000, 144_000, 360_000)
    """Added to the elapsed time in turn."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, ...]] = {}

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """The request until two of the user's jobs have ended."""
        requested = super().estimate(job, run)
        last = self._last.get(job.user, ())
        if len(last) < 2:
            return requested
        return max(SHORTEST_S, min(requested, sum(last) / 2))

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Remember the user's last two."""
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

    Until the kind has been seen, what is on record of having been expected; else the request; else
    the truth blurred by `sigma`, as a first guess from a model's size would be.
    """

    def __init__(self, sigma: float = 0.7, seed: int = 0, memory: int = 10) -> None:
        self._first = Noisy(sigma, seed)
        self._memory = memory
        self._ratios: dict[str, list[float]] = {}

    def estimate(self, job: Arrival, run: WorkloadRun) -> float:
        """Scaled between devices as the truth is: rates by device are known from other work."""
        logs = self._ratios.get(job.kind)
        if not logs:
            if job.expected_s is not None:
                share = run.runtime_s / max(job.runs[0].runtime_s, 1e-9)
                return max(SHORTEST_S, job.expected_s * share)
            if job.requested_s is not None:
                return super().estimate(job, run)
            return self._first.estimate(job, run)
        best = min(way.runtime_s for way in job.runs)
        return max(SHORTEST_S, math.exp(sum(logs) / len(logs)) * run.runtime_s / best)

    def ended(self, job: Arrival, runtime_s: float) -> None:
        """Remember the kind's last runs, as times on its best device."""
        logs = self._ratios.setdefault(job.kind, [])
        logs.append(math.log(max(min(way.runtime_s for way in job.runs), 1e-3)))
        del logs[: -self._memory]


ESTIMATORS: Mapping[str, Callable[..., RuntimeEstimator]] = {
    "exact": Exact,
    "noisy": Noisy,
    "requested": Requested,
    "tsafrir": Tsafrir,
    "history": RuntimeHistory,
}


def estimator(name: str, **parameters: float) -> RuntimeEstimator:
    """A fresh estimator by name; raises `InputError` naming the legal names or parameters."""
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
    """N(0, 1). Kept, as training comes back to the same workloads: a generator takes its time."""
    return float(np.random.default_rng((seed, job)).standard_normal())


def _longer(elapsed_s: float) -> float:
    return elapsed_s + max(SHORTEST_S, 0.1 * elapsed_s)
