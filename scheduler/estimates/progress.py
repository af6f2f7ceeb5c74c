"""Remaining time of a running attempt, from its reports and from the estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

DOUBT = 0.1
"""Measured progress counts as much as the estimate once this fraction has been observed."""
LEAST = 1e-6
"""Progress below this counts as none."""
OVERRUN = 0.25
"""An attempt near or past its estimate is expected to go on for this share of its age: runtimes
have a heavy tail, so an attempt that has run long is likely to run long still."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The first and the newest progress report of one attempt."""

    first: tuple[float, float]
    """(fraction, elapsed seconds)"""
    last: tuple[float, float]

    def and_then(self, fraction: float, elapsed_s: float) -> Reports:
        """These reports and a further one, which starts again if time or progress went back."""
        if elapsed_s < self.last[1] or fraction < self.last[0]:
            return Reports((fraction, elapsed_s), (fraction, elapsed_s))
        return Reports(self.first, (fraction, elapsed_s))

    def total_s(self) -> tuple[float, float] | None:
        """(whole run time by measured progress, fraction of the work that was observed).

        Between two reports the rate is free of start-up time and of work that an earlier attempt
        had done; a single report counts from zero. None while nothing has moved.
        """
        (f0, t0), (f1, t1) = self.first, self.last
        if f1 - f0 < LEAST or t1 <= t0:
            f0, t0 = 0.0, 0.0
        if f1 - f0 < LEAST or t1 <= t0:
            return None
        return t1 + (1.0 - f1) * (t1 - t0) / (f1 - f0), f1 - f0


def remaining_s(
    expected_s: float,
    elapsed_s: float,
    reports: Reports | None = None,
    limit_s: float | None = None,
) -> float:
    """Seconds an attempt will still run, ≥ 0.

    What the estimate and what measured progress leave are blended in log space; the measured one
    gains weight with the fraction observed (`observed / (observed + DOUBT)`), so that a first,
    unsteady report does not overturn the estimate. `limit_s` is the attempt's time limit.
    """
    left = max(expected_s - elapsed_s, OVERRUN * elapsed_s)
    if reports is not None:
        fraction, since_s = reports.last[0], max(0.0, elapsed_s - reports.last[1])
        measured = reports.total_s()
        if fraction >= 1.0:
            left = 0.0
        elif measured is not None:
            total, observed = measured
            by_progress = max(total - elapsed_s, OVERRUN * since_s)
            weight = observed / (observed + DOUBT)
            left = _log_mean(left, by_progress, weight)
    if limit_s is not None:
        left = min(left, limit_s - elapsed_s)
    return max(0.0, left)


def _log_mean(first_s: float, second_s: float, weight: float) -> float:
    """Weighted geometric mean, `weight` of the second; times below a millisecond count as one."""
    first, second = math.log(max(first_s, 1e-3)), math.log(max(second_s, 1e-3))
    return math.exp((1.0 - weight) * first + weight * second)
