"""A runtime as a distribution around its estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from scheduler.estimates.learned.runtime_model import RuntimeInterval
from scheduler.estimates.progress import OVERRUN

_NORMAL = NormalDist()
_Z90 = _NORMAL.inv_cdf(0.9)
_OUTLIVED = 0.995
"""Beyond this quantile the distribution tells nothing any more."""


@dataclass(frozen=True, slots=True)
class RuntimeSpread:
    """A log-normal runtime, with a width of its own on each side of the median.

    Wallis, "The two-piece normal, binormal, or double Gaussian distribution", Statistical Science
    29(1), 2014; here both sides have half of the mass.
    """

    median_s: float
    interval: RuntimeInterval
    """Its 10 % and 90 % quantiles; they hold the median."""

    def at(self, chance: float) -> float:
        """Seconds that it does not exceed with this chance (between 0 and 1)."""
        z = _NORMAL.inv_cdf(chance)
        return self.median_s * math.exp(z * self._sigma(above=z > 0))

    def given(self, elapsed_s: float, chance: float) -> float:
        """As `at`, of a job that has run for `elapsed_s` already; never less than that."""
        ratio = elapsed_s / self.median_s
        if ratio <= 0:
            return self.at(chance)
        log = math.log(ratio)
        sigma = self._sigma(above=log > 0)
        passed = _NORMAL.cdf(log / sigma) if sigma > 0 else float(log >= 0)
        if passed >= _OUTLIVED:
            return elapsed_s * (1.0 + OVERRUN)
        return max(elapsed_s, self.at(passed + (1.0 - passed) * chance))

    def narrowed(self, weight: float) -> RuntimeSpread:
        """Its logarithm spreads only `weight` (0…1) as far."""
        low, high = (self.median_s * (end / self.median_s) ** weight for end in self.interval)
        return RuntimeSpread(self.median_s, RuntimeInterval(low, high))

    def _sigma(self, *, above: bool) -> float:
        low, high = self.interval
        return math.log(high / self.median_s if above else self.median_s / low) / _Z90
