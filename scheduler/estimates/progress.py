"""Remaining time of a running attempt, from what it reported and what had been expected."""

from __future__ import annotations

import math
from dataclasses import dataclass

DOUBT = 0.1
"""Measured progress counts as much as the estimate once this fraction has been observed."""
OVERRUN = 0.25
"""An attempt past its estimate is expected to go on for this share of its age: for runtimes with
a heavy tail, what has run long will run on in proportion."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The first and the newest progress report of one attempt."""

    first: tuple[float, float]
    """(fraction, elapsed seconds)"""
    last: tuple[float, float]

    def and_then(self, fraction: float, elapsed_s: float) -> Reports:
        """With a further report; one that goes back in time or progress starts anew."""
        if elapsed_s < self.last[1] or fraction < self.last[0]:
            return Reports((fraction, elapsed_s), (fraction, elapsed_s))
        return Reports(self.first, (fraction, elapsed_s))

    def total_s(self) -> tuple[float, float] | None:
        """(whole run time by measured progress, fraction of the work that was observed).

        Between two reports the rate is free of start-up time and of work that an earlier attempt
        had done; a single report counts from zero. None while nothing has moved.
        """
        (f0, t0), (f1, t1) = self.first, self.last
        if f1 <= f0 or t1 <= t0:
            f0, t0 = 0.0, 0.0
        if f1 <= f0 or t1 <= t0:
            return None
        return t1 + (1.0 - f1) * (t1 - t0) / (f1 - f0), f1 - f0


def remaining_s(
    expected_s: float,
    elapsed_s: float,
    reports: Reports | None = None,
    limit_s: float | None = None,
) -> float:
    """Seconds an attempt will still run, ≥ 0.

    Expected and measured totals are blended in log space; the measured one gains weight with the
    fraction observed (`observed / (observed + DOUBT)`), so that a first, unsteady report does not
    overturn the estimate. `limit_s` is the attempt's time limit.
    """
    total = max(expected_s, 1e-3)
    measured = reports.total_s() if reports else None
    if measured:
        by_progress, observed = measured
        weight = observed / (observed + DOUBT)
        total = math.exp(weight * math.log(by_progress) + (1.0 - weight) * math.log(total))
    left = total - elapsed_s
    if left <= 0:
        done = reports is not None and reports.last[0] >= 1.0
        left = 0.0 if done else OVERRUN * elapsed_s
    if limit_s is not None:
        left = min(left, limit_s - elapsed_s)
    return max(0.0, left)
