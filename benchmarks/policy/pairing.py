"""Comparisons of policies on equal workloads, beyond what `agents.evaluation.statistics` has."""

from __future__ import annotations

import numpy as np

from agents.evaluation.statistics import CONFIDENCE, Interval, front, hypervolume
from scheduler.decisions.state.queue import Floats

RESAMPLES = 2_000
_SEED = 20_261_123


def volume_ratio(points: Floats, rivals: Floats, reference: Floats) -> Interval:
    """(Hypervolume of `points`) ÷ (that of `rivals`) - 1, resampling workloads.

    Shapes (policies, workloads, 2) and (2,). The fronts are those of the means over workloads:
    whoever is best on a single workload by luck does not make them.
    """
    one, other = points / reference, rivals / reference
    workloads = points.shape[1]

    def ratio(weights: Floats) -> float:
        means = [np.einsum("w,pwx->px", weights, table) for table in (one, other)]
        mine, theirs = (hypervolume(table, (1.0, 1.0)) for table in means)
        return mine / theirs - 1 if theirs else np.nan

    mean = ratio(np.full(workloads, 1 / workloads))
    if workloads < 2:
        return Interval(mean, np.nan, np.nan, workloads)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(workloads, np.full(workloads, 1 / workloads), RESAMPLES) / workloads
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile([ratio(weights) for weights in drawn], (tail, 1 - tail))
    return Interval(mean, float(low), float(high), workloads)


def outline(points: Floats) -> list[tuple[float, float]]:
    """The front of `points`, shape (n, 2), by the first column."""
    return [(float(x), float(y)) for x, y in points[front(points)]]
