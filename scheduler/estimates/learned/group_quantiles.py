"""Quantiles of a quantity by groups of jobs, which learn from every job that ends."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from scheduler.compilation.columns import Floats, Ints
from scheduler.decisions.kernel.arithmetic import exp
from scheduler.estimates.learned.mixture import (
    LEAST_ENDED,
    LEVELS,
    MEDIAN,
    MEMORY,
    QUANTILES,
    predict_one,
    remember_one,
)

_Column = TypeVar("_Column", Floats, Ints)
CALIBRATED_ON = 2048
"""Newest ended jobs that intervals are calibrated on."""
CALIBRATE_EVERY = 64
"""Intervals are calibrated again after so many ended jobs."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Quantiles of a logarithm, (Q,) each, ascending, at `mixture.QUANTILES`."""

    raw: Floats
    logs: Floats
    """Calibrated; the median is that of `raw`."""

    @property
    def median(self) -> float:
        """The median of the quantity itself."""
        return float(exp(self.logs[MEDIAN]))


class GroupQuantiles:
    """Predicts the logarithm of a quantity, such as a runtime in seconds; see `mixture`.

    Intervals are calibrated by conformalized quantile regression (Romano, Patterson, Candès,
    NeurIPS 2019): each quantile is moved by the same quantile of how far the truth was above it,
    over the last `CALIBRATED_ON` ended jobs. The median stays. Not safe for threads.
    """

    def __init__(self, most_groups: int | None = None) -> None:
        """`most_groups`: of which something is remembered; None: any number."""
        self._most_groups = most_groups
        self._index: dict[Hashable, int] = {}
        """Group → its number; the group that a job ended in last comes last."""
        self._free: list[int] = []
        self._value, self._born = np.zeros(0), np.zeros(0, dtype=np.int64)
        self._ended = np.zeros(0, dtype=np.int64)
        self._misses = np.zeros((CALIBRATED_ON, len(QUANTILES)))
        self._moves = np.zeros(len(QUANTILES))
        self._checked = self._count = 0

    def predict(self, groups: Sequence[Hashable]) -> Prediction | None:
        """The quantiles of a job of these `mixture.LEVELS` groups.

        None until `mixture.LEAST_ENDED` jobs have ended.
        """
        if self._count < LEAST_ENDED:
            return None  # before the compiler is loaded
        raw = np.empty(len(QUANTILES))
        numbers = np.array([self._index.get(group, -1) for group in groups], dtype=np.int64)
        if not predict_one(self._value, self._born, self._ended, numbers, raw):
            return None
        moved = raw + self._moves
        moved[: MEDIAN + 1] = np.minimum.accumulate(moved[MEDIAN::-1])[::-1]
        moved[MEDIAN:] = np.maximum.accumulate(moved[MEDIAN:])
        return Prediction(raw, moved)

    def end(
        self, groups: Sequence[Hashable], length: float, foreseen: Prediction | None = None
    ) -> None:
        """A job of these groups has ended; `length`: the logarithm of its quantity.

        `foreseen`: what was predicted when it was submitted. Intervals learn from it.
        """
        if foreseen is not None:
            self._check(length - foreseen.raw)
        self._count += 1
        numbers = np.array([self._number(group) for group in groups], dtype=np.int64)
        remember_one(self._value, self._born, self._ended, numbers, length)

    def _check(self, misses: Floats) -> None:
        self._misses[self._checked % CALIBRATED_ON] = misses
        self._checked += 1
        if self._checked % CALIBRATE_EVERY == 0:
            known = self._misses[: self._checked]
            for at, level in enumerate(QUANTILES):
                self._moves[at] = np.quantile(known[:, at], level)
            self._moves[MEDIAN] = 0.0

    def _number(self, group: Hashable) -> int:
        number = self._index.pop(group, None)
        if number is None:
            number = self._new()
        self._index[group] = number
        return number

    def _new(self) -> int:
        if not self._free and len(self._index) == self._most_groups:
            for old in list(self._index)[: max(LEVELS, len(self._index) // 2)]:
                number = self._index.pop(old)
                self._ended[number] = 0
                self._free.append(number)
        if self._free:
            return self._free.pop()
        number = len(self._index)
        if number == len(self._ended):
            more = max(64, number)
            self._ended = _longer(self._ended, more)
            self._value = _longer(self._value, more * MEMORY)
            self._born = _longer(self._born, more * MEMORY)
        return number


def _longer(column: _Column, more: int) -> _Column:
    return np.concatenate([column, np.zeros(more, dtype=column.dtype)])
