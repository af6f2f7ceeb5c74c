"""What measurements show about a device: how it scales, and how far its nominal rate is off.

All fits are means in log space, shrunk towards the prior by a few imaginary observations (ridge
regression): one measurement moves an estimate, many decide it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRIOR_EXPONENT = math.log2(2 * 0.85)
"""Rate grows as width^0.77: each doubling of the width gives 1.7 times the rate (85 %)."""
NETWORK_PRIOR = math.log(0.8)
"""An attempt over several nodes is so much slower than the same width inside one: a guess, until
works were measured both ways."""
NETWORK_WEIGHT = 1.0
"""Measurements that this prior counts as."""
EXPONENT_WEIGHT = 2.0
"""Works that the prior exponent counts as."""
LEVEL_WEIGHT = 0.5
"""Works that the prior level of a device counts as: nominal rates are rough."""
KIND_WEIGHT = 1.0
"""Device models that `nominal rates are right` counts as, for a whole kind of device."""
SLOPE_WEIGHT = 4.0
"""Spread (squared log FLOPs) that `size of the model does not matter` counts as."""
STEEPEST = 1.0
"""A slope of 1 means: time per sample does not depend on its FLOPs at all."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Logarithm of true over nominal rate, linear in the logarithm of FLOPs per sample.

    The slope is there because small networks leave a device idle between their kernels.
    """

    level: float = 0.0
    slope: float = 0.0
    center: float = 0.0
    """Mean log FLOPs per sample of what was measured."""
    reach: tuple[float, float] = (0.0, 0.0)
    """Range of log FLOPs per sample measured: the line ends there."""

    def at(self, flops_per_sample: float) -> float:
        """Natural logarithm of the factor for a network of that size; 0 FLOPs: the mean's."""
        if not self.slope or flops_per_sample <= 0:
            return self.level
        low, high = self.reach
        x = min(max(math.log(flops_per_sample), low), high)
        return self.level + self.slope * (x - self.center)


def exponent(widths: Mapping[int, float]) -> float | None:
    """Least-squares slope of log rate over log width; None below two widths."""
    if len(widths) < 2:
        return None
    xs = [math.log(width) for width in widths]
    return _slope(xs, list(widths.values()), ridge=0.0)


def device_exponent(slopes: Sequence[float]) -> float:
    """Scaling exponent of a device model from those of the works measured on it, in 0…1."""
    total = EXPONENT_WEIGHT * PRIOR_EXPONENT + sum(slopes)
    return min(1.0, max(0.0, total / (EXPONENT_WEIGHT + len(slopes))))


def work_exponent(prior: float, widths: Mapping[int, float]) -> float:
    """Scaling exponent of one work: its own slope, more trusted the more widths were measured."""
    own = exponent(widths)
    if own is None:
        return prior
    weight = 2.0 * (len(widths) - 1)
    return min(1.0, max(-0.5, (prior + weight * own) / (1.0 + weight)))


def network_factor(differences: Sequence[float]) -> float:
    """Log of the rate over several nodes relative to the same width inside one node.

    `differences`: that logarithm for works that were measured both ways.
    """
    total = NETWORK_WEIGHT * NETWORK_PRIOR + sum(differences)
    return total / (NETWORK_WEIGHT + len(differences))


def kind_level(levels: Sequence[float]) -> float:
    """Mean correction of a kind's device models: the prior for each, and for new ones."""
    return sum(levels) / (KIND_WEIGHT + len(levels))


def ratio_correction(differences: Sequence[float]) -> float:
    """Correction of the nominal ratio of two devices, from works measured on both.

    `differences`: for each such work, log of measured over nominal ratio. Only pairs count: what
    makes one work slow everywhere (its data, its small layers) does not affect the ratio.
    """
    return sum(differences) / (LEVEL_WEIGHT + len(differences))


def correction(sizes: Sequence[float], residuals: Sequence[float], prior: float) -> Correction:
    """Fit a device's correction.

    `sizes`: log FLOPs per sample, one per work; `residuals`: log of measured over nominal rate of
    the same works; `prior`: level expected without them.
    """
    if not residuals:
        return Correction(level=prior)
    count = len(residuals)
    level = (LEVEL_WEIGHT * prior + sum(residuals)) / (LEVEL_WEIGHT + count)
    slope = _slope(sizes, residuals, ridge=SLOPE_WEIGHT)
    return Correction(
        level=level,
        slope=min(STEEPEST, max(-STEEPEST / 2, slope)),
        center=sum(sizes) / count,
        reach=(min(sizes), max(sizes)),
    )


def _slope(xs: Sequence[float], ys: Sequence[float], ridge: float) -> float:
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs) + ridge
    if not spread:
        return 0.0
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
