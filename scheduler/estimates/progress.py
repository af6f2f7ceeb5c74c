"""Remaining time of a running attempt, from its reports and from the estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

DOUBT = 0.1
"""Steady progress tells as much as an uncontradicted estimate once this fraction was observed."""
SPREAD = 0.3
"""Standard deviation of the logarithm of an estimate that nothing contradicts."""
UNSTEADY = 0.05
"""Of measured progress at its beginning, times the fraction observed: first batches are slow."""
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
    resumed: float = 0.0
    """Fraction that earlier attempts had done."""

    def and_then(self, fraction: float, elapsed_s: float) -> Reports:
        """These reports and a further one, which starts again if time or progress went back."""
        if elapsed_s < self.last[1] or fraction < self.last[0]:
            return Reports((fraction, elapsed_s), (fraction, elapsed_s), self.resumed)
        return Reports(self.first, (fraction, elapsed_s), self.resumed)

    def total_s(self) -> tuple[float, float] | None:
        """(whole run time by measured progress, fraction of the work that was observed).

        Between two reports the rate is free of start-up time and of work that an earlier attempt
        had done; a single report counts from the attempt's beginning. None while nothing has moved.
        """
        (f0, t0), (f1, t1) = self.first, self.last
        if f1 - f0 < LEAST or t1 <= t0:
            f0, t0 = self.resumed, 0.0
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

    What the estimate and what measured progress leave are blended in log space, each by its
    precision (see `_weight`), so that a first, unsteady report does not overturn the estimate.
    `limit_s` is the attempt's time limit.
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
            left = _log_mean(left, by_progress, observed)
    if limit_s is not None:
        left = min(left, limit_s - elapsed_s)
    return max(0.0, left)


def _log_mean(estimated_s: float, measured_s: float, observed: float) -> float:
    """Geometric mean, weighted by precision; times below a millisecond count as one."""
    estimated, measured = math.log(max(estimated_s, 1e-3)), math.log(max(measured_s, 1e-3))
    weight = _weight(observed, measured - estimated)
    return math.exp((1.0 - weight) * estimated + weight * measured)


def _weight(observed: float, contradiction: float) -> float:
    """Weight of the measured time against the estimate, by the inverse of their variances.

    `observed`: the fraction of the work that was seen. `contradiction`: the logarithm of measured
    over estimated. An estimate that is contradicted is doubted by as much, as in an empirical Bayes
    estimate of its variance (Efron and Morris 1973, "Stein's estimation rule and its competitors").
    """
    estimate = max(SPREAD, abs(contradiction)) ** 2
    measurement = SPREAD**2 * DOUBT / observed + (UNSTEADY / observed) ** 2
    return estimate / (estimate + measurement)
