"""Histograms: those of answers, and those that are told from the history at each scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

ANSWERS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Upper bounds (s) for requests and decisions."""
JOBS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 48 * 3600.0)
"""Upper bounds (s) for waits and runs of jobs."""


class CumulativeBuckets:
    """Counts of values by bucket, and their sum."""

    def __init__(self, bounds: Sequence[float] = JOBS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, values up to it), as Prometheus wants them."""
        found, sum_ = [], 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            sum_ += count
            found.append(("+Inf" if bound is None else str(float(bound)), float(sum_)))
        return found
