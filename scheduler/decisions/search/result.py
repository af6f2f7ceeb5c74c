"""What a search has found for one choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduler.arrays import Floats, Ints
from scheduler.compilation.columns import Floats2D
from scheduler.decisions.search.settings import PlayoutObjective
from scheduler.domain.units import duration

LEAST_FUTURES = 4
"""Fewer than these say nothing about how sure a difference is."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was tried for one choice: k candidates in m futures."""

    now: float
    rows: Ints
    """(k,) rows of the world, 0 for WAIT; the first is the scorer's own choice."""
    jobs: Ints
    """(k,) ids of their jobs."""
    values: Floats2D
    """(k, m) what the objective counts in each future after each choice; NaN in futures that were
    not played because the candidate had been clearly worse until then."""
    best: int
    """Position of the choice."""
    objective: PlayoutObjective

    @property
    def gains(self) -> Floats:
        """(k,) mean over the futures of what a choice saves against the scorer's own."""
        gains: Floats = np.nanmean(self.values[0] - self.values, axis=1)
        return gains

    @property
    def errors(self) -> Floats:
        """(k,) standard errors of the gains, over at least two futures."""
        differences = self.values[0] - self.values
        played = np.isfinite(differences).sum(axis=1)
        errors: Floats = np.nanstd(differences, axis=1, ddof=1) / np.sqrt(played)
        return errors

    @property
    def row(self) -> int:
        """The chosen row."""
        return int(self.rows[self.best])

    @property
    def job(self) -> int:
        """Its job; 0 if it is WAIT."""
        return int(self.jobs[self.best])

    def text(self) -> str:
        """What was tried and found, in words."""
        choices, futures = self.values.shape
        tried = f"tried {choices} choices on {futures} likely futures"
        if not self.best:
            return f"{tried}: no other one is better"
        gain, count = float(self.gains[self.best]), self.objective
        if count.slowdown > 0.0:
            saved = f"{gain / count.slowdown:.2g} of slowdown"
        else:
            saved = f"{duration(gain / (count.seconds or 1.0))} of weighted waiting"
        what = "waiting" if not self.job else f"job {self.job} first"
        if self.job == int(self.jobs[0]):
            what = f"job {self.job} on these devices"
        return f"{tried}: {what} saves {saved}{' and cost' * (count.dollars > 0.0)} on average"


def best_of(values: Floats2D, margin: float) -> int:
    """The candidate to choose: (k, m) values, of which row 0 is the scorer's own choice.

    The one of least mean that was played in all futures, if it is better by `margin` standard
    errors of the paired differences.
    """
    futures = values.shape[1]
    if futures < LEAST_FUTURES or len(values) < 2:
        return 0
    differences = values - values[0]
    means = differences.mean(axis=1)
    if np.isnan(means[0]):
        return 0
    best = int(np.nanargmin(means))
    error = float(differences[best].std(ddof=1)) / np.sqrt(futures)
    return best if means[best] < -margin * error else 0
