"""Predictors of runtimes that learn from ended jobs, behind one interface.

A prediction is (Q,) natural logarithms of seconds at `QUANTILES`; a predictor of one number gives
it for all of them.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import Protocol

import numpy as np

from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import RuntimeEstimator, groups_of
from scheduler.compilation.columns import Floats, Floats2D
from scheduler.estimates.estimator import DEFAULT_S
from scheduler.estimates.learned import QUANTILES, GroupQuantiles, Prediction


class Predictor(Protocol):
    """Predicts jobs when they are submitted."""

    def predict(self, job: Arrival) -> Floats:
        """(Q,) logarithms of seconds."""

    def end(self, job: Arrival) -> None:
        """Learn from a job that has ended; each was predicted before."""


class LearnedQuantiles:
    """`scheduler.estimates.learned`."""

    def __init__(self) -> None:
        self._model = GroupQuantiles()
        self._foreseen: dict[int, Prediction | None] = {}

    def predict(self, job: Arrival) -> Floats:
        """Quantiles, at most the request; until there are any, the request or the default."""
        found = self._foreseen[job.id] = self._model.predict(groups_of(job))
        limit = math.log(job.requested_s or (math.inf if found else DEFAULT_S))
        logs = np.full(len(QUANTILES), limit) if found is None else found.logs
        return np.minimum(logs, limit)

    def end(self, job: Arrival) -> None:
        """Learn from it."""
        self._model.end(groups_of(job), log_runtime(job), self._foreseen.pop(job.id))


class PointEstimates:
    """An estimator of simulations. It sees a true runtime when its job has ended, not before."""

    def __init__(self, estimator: RuntimeEstimator) -> None:
        self._estimator = estimator

    def predict(self, job: Arrival) -> Floats:
        """One number; what an estimator takes from the truth is replaced by the default."""
        run = replace(job.runs[0], runtime_s=DEFAULT_S)
        limit = math.inf if job.requested_s is None else job.requested_s
        expected_s = min(limit, DEFAULT_S) if job.expected_s is None else job.expected_s
        blind = replace(job, runs=(run,), requested_s=limit, expected_s=expected_s)
        seconds = self._estimator.estimate(blind, run)
        return np.full(len(QUANTILES), math.log(seconds if seconds < math.inf else DEFAULT_S))

    def end(self, job: Arrival) -> None:
        """Learn from it."""
        self._estimator.ended(job, job.runs[0].runtime_s)


class Stated:
    """The request, else the service's default: what is known without any history."""

    def predict(self, job: Arrival) -> Floats:
        """One number."""
        return np.full(len(QUANTILES), math.log(job.requested_s or DEFAULT_S))

    def end(self, job: Arrival) -> None:
        """Ignore it."""


def played(workload: Workload, predictor: Predictor) -> Floats2D:
    """(jobs, Q) What was predicted of each job when it was submitted, after what had ended then.

    Each job begins when it is submitted: when it began on the real machine is not on record.
    """
    found, ends = np.empty((len(workload.jobs), len(QUANTILES))), list[tuple[float, int]]()
    for index, job in enumerate(workload.jobs):
        while ends and ends[0][0] <= job.submitted_at:
            predictor.end(workload.jobs[heapq.heappop(ends)[1]])
        found[index] = predictor.predict(job)
        heapq.heappush(ends, (job.submitted_at + job.runs[0].runtime_s, index))
    return found


def log_runtime(job: Arrival) -> float:
    """Natural logarithm of its true seconds, of 1 s at least."""
    return math.log(max(1.0, job.runs[0].runtime_s))
