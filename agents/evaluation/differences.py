"""What a paired difference between two policies says, and how much it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from agents.evaluation.statistics import LEAST, Interval, paired, relative
from scheduler.decisions.state.queue import Floats

ROUNDING = 1e-9
"""Relative difference of two figures that counts as none."""


class Verdict(StrEnum):
    """What a paired difference to the baseline says."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    """No difference is shown: the interval holds 0, or there are too few distinct workloads."""
    EQUAL = "equal"
    """No difference on any workload."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of a policy minus that of the baseline, on the same workloads and preference."""

    value: Interval
    """In the measure's unit."""
    relative: Interval
    """The same ÷ the baseline's mean; nan where that is 0."""
    median: float
    """Of the workloads' differences, each ÷ the baseline's figure; nan where none has one."""
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


def difference(
    values: ArrayLike, baseline: ArrayLike, *, distinct: int, less: bool = True
) -> Difference:
    """Of figures of the same workloads, in the same order, shapes (n,).

    `distinct`: how many independent workloads they are worth, see
    `agents.evaluation.sample_size`; too few show
    no difference. `less`: whether less is better.
    """
    other = np.asarray(baseline, dtype=np.float64)
    # The same jobs added up in another order: a difference of sums, not of policies.
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


def _median(one: Floats, other: Floats) -> float:
    known = other != 0
    if not known.any():
        return np.nan
    return float(np.median((one[known] - other[known]) / np.abs(other[known])))
