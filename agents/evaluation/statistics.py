"""Statistics of a comparison: intervals over seeds, paired differences, fronts, hypervolumes.

Everything is exact or seeded: equal inputs give equal results.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from scheduler.arrays import Floats, Ints

RESAMPLES = 10_000
"""Bootstrap samples of every interval."""
CONFIDENCE = 0.95
LEAST = 6
"""Fewer values show nothing: five differences have the same sign by luck alone in 1 of 16 cases
(sign test), which is more than 5 %, however narrow their interval."""
LEAST_WAITING = 1 / 3
"""Share of the latency that is waiting below which jobs hardly queue."""
MOST_DRAINED = 0.1
"""Share of the jobs above which an emptying cluster distorts means."""
ROUNDING = 1e-9
"""Relative difference of two figures that counts as none."""
_SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    """`low` and `high` are nan for fewer than two values."""
    count: int
    """Number of values."""

    @property
    def significant(self) -> bool:
        """Whether 0 lies outside and there are at least `LEAST` values; for differences."""
        return self.count >= LEAST and (self.low > 0 or self.high < 0)


class Verdict(StrEnum):
    """The result of a paired comparison with the baseline."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    """No difference is shown: the interval holds 0, or there are too few distinct workloads."""
    EQUAL = "equal"
    """No difference on any workload."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of a policy minus that of the baseline, on the same workloads and preference."""

    value: Interval
    """Mean difference, in the metric's unit."""
    relative: Interval
    """Mean difference ÷ the baseline's mean; nan if that is 0."""
    median: float
    """Median over the workloads of the difference ÷ the baseline's figure; nan without one."""
    won: int
    """Workloads on which the policy is better."""
    lost: int
    """Workloads on which it is worse; on the others both are equal."""
    verdict: Verdict

    @property
    def count(self) -> int:
        """Workloads on which both have a figure."""
        return self.value.count

    @property
    def shown(self) -> bool:
        """Whether a difference is shown, in either direction."""
        return self.verdict in (Verdict.BETTER, Verdict.WORSE)


def interval(values: ArrayLike) -> Interval:
    """Percentile bootstrap of the mean of `values`, shape (n,); nan values are left out.

    Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    count = len(sample)
    if count < 2:
        mean = float(sample[0]) if count else np.nan
        return Interval(mean, np.nan, np.nan, count)
    # A resample's mean is a weighted sum. Equal counts share their weights, so the resamples of
    # every policy and metric hold the same seeds.
    means = _weights(count) @ sample
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(sample.mean()), float(low), float(high), count)


def paired(values: ArrayLike, baseline: ArrayLike) -> Interval:
    """Interval of the mean difference value - baseline over the same seeds, shapes (n,).

    A seed for which either is nan is left out.
    """
    return interval(np.asarray(values, np.float64) - np.asarray(baseline, np.float64))


def relative(values: ArrayLike, baseline: ArrayLike) -> Interval:
    """The interval of (mean value - mean baseline) ÷ |mean baseline| over the same seeds.

    Numerator and denominator are resampled together. nan where the baseline's mean is 0.
    """
    one, other = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    both = ~np.isnan(one - other)
    one, other = one[both], other[both]
    count = len(one)
    scale = abs(float(other.mean())) if count else 0.0
    if not scale:
        return Interval(np.nan, np.nan, np.nan, count)
    mean = float((one - other).mean()) / scale
    if count < 2:
        return Interval(mean, np.nan, np.nan, count)
    weights = _weights(count)
    below = np.abs(weights @ other)
    ratios = (weights @ (one - other))[below > 0] / below[below > 0]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return Interval(mean, float(low), float(high), count)


def difference(
    values: ArrayLike, baseline: ArrayLike, *, distinct: int, less: bool = True
) -> Difference:
    """Compare figures of the same workloads, in the same order, shapes (n,).

    `distinct`: how many independent workloads they are worth, see `agents.evaluation.sample_size`;
    too few show no difference. `less`: whether less is better.
    """
    other = np.asarray(baseline, dtype=np.float64)
    # Sums of the same jobs in another order differ by rounding only.
    one = np.where(np.isclose(values, other, rtol=ROUNDING, atol=0.0), other, values)
    both = ~np.isnan(one - other)
    one, other = one[both], other[both]
    value = paired(one, other)
    below, above = int((one < other).sum()), int((one > other).sum())
    if value.count and not below + above:
        verdict = Verdict.EQUAL
    elif not value.significant or distinct < LEAST:
        verdict = Verdict.OPEN
    else:
        verdict = Verdict.BETTER if (value.mean < 0) is less else Verdict.WORSE
    return Difference(
        value,
        relative(one, other),
        _median(one, other),
        below if less else above,
        above if less else below,
        verdict,
    )


def regime_warnings(waiting: float, drained: float = np.nan) -> tuple[str, ...]:
    """Sentences for people about a result that holds for no queue, or for an emptying cluster.

    `waiting`, `drained`: the metrics of these names, nan where they are not known.
    """
    found = []
    if waiting < LEAST_WAITING:
        found.append(
            f"jobs hardly queue here: {waiting:.0%} of the latency is waiting, so a result says "
            "little about a busy cluster"
        )
    if drained > MOST_DRAINED:
        found.append(
            f"{drained:.0%} of the jobs ended after the last submission, in an emptying cluster: "
            "more jobs, or a longer cool_down in the scenario, would keep it loaded"
        )
    return tuple(found)


def front(points: ArrayLike) -> Ints:
    """Indices of the rows of `points`, shape (n, 2), that no other row dominates; less is better.

    Ordered by the first column; of equal points the first counts.
    """
    table = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    order = np.lexsort((table[:, 1], table[:, 0]))
    best = np.minimum.accumulate(np.concatenate(([np.inf], table[order, 1])))
    chosen: Ints = order[table[order, 1] < best[:-1]]
    return chosen


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Area that `points`, shape (n, 2), dominate below `reference`, shape (2,); less is better.

    Exact in two dimensions, in O(n log n). Points not below the reference count nothing.
    Zitzler, Thiele, "Multiobjective Evolutionary Algorithms: A Comparative Case Study and the
    Strength Pareto Approach", IEEE TEC 3(4), 1999.
    """
    corner = np.asarray(reference, dtype=np.float64)
    table = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    table = table[(table < corner).all(axis=1)]
    steps = table[front(table)]
    rights = np.append(steps[1:, 0], corner[0])
    return float(((rights - steps[:, 0]) * (corner[1] - steps[:, 1])).sum())


@lru_cache(maxsize=8)
def _weights(count: int) -> Floats:
    """(RESAMPLES, count) weight of each value in the mean of each resample."""
    rng = np.random.default_rng((_SEED, count))
    drawn: Floats = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    return drawn


def _median(one: Floats, other: Floats) -> float:
    known = other != 0
    if not known.any():
        return np.nan
    return float(np.median((one[known] - other[known]) / np.abs(other[known])))
