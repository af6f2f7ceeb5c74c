"""Quantiles of runtime by gradient-boosted trees, to compare with."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from itertools import pairwise

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.estimates.predictors import Stated, log_runtime, played
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import groups_of
from scheduler.compilation.columns import Floats, Floats2D
from scheduler.estimates.learned import QUANTILES, Group

NEWEST = 15_000
"""Ended jobs that it is trained on."""
TRAININGS = 16
"""So often it is trained, after equal numbers of ends."""
DAY_S = 86_400.0


def boosted(workload: Workload) -> Floats2D:
    """(jobs, Q) Predictions by scikit-learn's histogram boosting, one model for each quantile."""
    history = _FeatureHistory()
    found = played(workload, history)
    edges = np.linspace(0, history.count, TRAININGS + 1).astype(int).tolist()
    for first, last in pairwise(edges[1:]):
        ended = history.ended[max(0, first - NEWEST) : first]
        features = [history.features[job] for job in ended]
        lengths = [log_runtime(workload.jobs[job - 1]) for job in ended]
        asked = [job for job, known in history.known.items() if first <= known < last]
        if asked:
            rows = [history.features[job] for job in asked]
            logs = [_model(level).fit(features, lengths).predict(rows) for level in QUANTILES]
            found[np.array(asked) - 1] = np.sort(np.column_stack(logs), axis=1)
    limits = [math.log(job.requested_s or math.inf) for job in workload.jobs]
    capped: Floats2D = np.minimum(found, np.array(limits)[:, np.newaxis])
    return capped


class _FeatureHistory(Stated):
    """Collects the features of each job: what its groups tell when it is submitted.

    Of each group the last three runtimes, mean and standard deviation of the last ten, their
    number and the time since the last end; width, time of day and request.
    """

    def __init__(self) -> None:
        self.features: dict[int, list[float]] = {}
        """By job."""
        self.known: dict[int, int] = {}
        """Jobs that had ended when a job was submitted."""
        self.ended: list[int] = []
        """Jobs in the order of their ends."""
        self._count: defaultdict[Group, int] = defaultdict(int)
        self._last: defaultdict[Group, deque[float]] = defaultdict(lambda: deque(maxlen=10))
        self._latest: dict[Group, float] = {}

    @property
    def count(self) -> int:
        """Jobs that have ended."""
        return len(self.ended)

    def predict(self, job: Arrival) -> Floats:
        """What is stated, for the jobs before the first training."""
        self.features[job.id], self.known[job.id] = self._describe(job), self.count
        return super().predict(job)

    def end(self, job: Arrival) -> None:
        """Take it over into its groups."""
        self.ended.append(job.id)
        for group in groups_of(job):
            self._count[group] += 1
            self._last[group].appendleft(log_runtime(job))
            self._latest[group] = job.submitted_at + job.runs[0].runtime_s

    def _describe(self, job: Arrival) -> list[float]:
        time_of_day = job.submitted_at % DAY_S
        found = [float(job.runs[0].width), time_of_day, math.log(job.requested_s or 1.0)]
        for group in groups_of(job):
            last = list(self._last[group])
            found += [*last[:3], *[math.nan] * (3 - len(last[:3])), float(self._count[group])]
            found += [float(np.mean(last)), float(np.std(last))] if last else [math.nan, math.nan]
            found.append(math.log1p(job.submitted_at - self._latest.get(group, math.nan)))
        return found


def _model(level: float) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        loss="quantile",
        quantile=level,
        max_iter=60,
        max_leaf_nodes=23,
        min_samples_leaf=40,
        early_stopping=False,
        random_state=0,
    )
