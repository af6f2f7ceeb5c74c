"""A policy's objectives beside the baseline's, on the same workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.serving.artifact import Judged
from agents.training.config import Criterion
from scheduler.arrays import Floats

Objectives = Mapping[tuple[float, int], float]
"""(w, seed) → objective of a whole workload; less is better."""
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """A policy's objectives ÷ the baseline's on the same workloads."""

    mean: float
    """Over all w; below 1: better than the baseline."""
    at: Mapping[float, float]
    """w → mean of the ratios on its workloads, or ratio of the means."""
    error: float | None = None
    """Standard error of the mean, over workloads; None for fewer than two."""
    median: float | None = None
    """Median over workloads of the ratio, a mean over w."""
    won: float | None = None
    """Share of the workloads on which that ratio is below 1."""
    workloads: int = 0

    def judged(self) -> Judged:
        """The same for manifests."""
        judged = Judged(mean=self.mean, at={str(w): mean for w, mean in self.at.items()})
        if self.error is not None and self.median is not None and self.won is not None:
            judged["error"], judged["median"] = self.error, self.median
            judged["won"], judged["workloads"] = self.won, self.workloads
        return judged


def relative(
    objectives: Objectives, baseline: Objectives, criterion: Criterion = "mean_of_ratios"
) -> Score:
    """Objectives ÷ the baseline's, paired: all w on the same workloads."""
    alike = criterion == "mean_of_ratios"
    seeds = sorted({seed for _, seed in objectives})
    at: dict[float, float] = {}
    ratios = []
    for w in sorted({w for w, _ in objectives}):
        own, theirs = (np.array([one[w, seed] for seed in seeds]) for one in (objectives, baseline))
        ratios.append(ratio(own, theirs))
        at[w] = float(np.mean(ratios[-1]) if alike else ratio(own.sum(), theirs.sum()))
        # What each workload adds to the figure, around which they scatter.
        spread = ratios[-1] if alike else (own - at[w] * theirs) / max(theirs.mean(), _LEAST)
    each = np.mean(ratios, axis=0)
    mean, count = float(np.mean(list(at.values()))), len(seeds)
    if count < 2:
        return Score(mean, at, workloads=count)
    # A ratio of means has one w, so the last spread is the only one (delta method).
    error = float((each if alike else spread).std(ddof=1) / np.sqrt(count))
    return Score(mean, at, error, float(np.median(each)), float(np.mean(each < 1.0)), count)


def ratio(own: Floats | float, theirs: Floats | float) -> Floats:
    """Equals have the ratio 1: where devices are free both may be 0."""
    return np.where(own == theirs, 1.0, own / np.maximum(theirs, _LEAST))
