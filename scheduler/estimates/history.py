"""Measured rates by work, device model and width, and measured times before the first sample.

Rates multiply (a device is twice as fast, a width scales by a power), so they are kept and
averaged as logarithms.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping
from statistics import median

from scheduler.domain.records import Measurement

KEPT = 16
"""Newest measurements kept of one work on one device model at one width."""
DECAY = 0.8
"""Weight of a measurement relative to the next newer one: about the last five count."""


class Cell:
    """Measured rates of one work on one device model at one width."""

    __slots__ = ("_log_rates", "log_rate")

    def __init__(self) -> None:
        self._log_rates: deque[float] = deque(maxlen=KEPT)
        self.log_rate = 0.0
        """Natural logarithm of samples per second: the weighted median, newer ones weigh more."""

    def add(self, rate: float) -> None:
        """Add a measurement (samples/s, > 0)."""
        self._log_rates.append(math.log(rate))
        weighted: list[tuple[float, float]] = []
        for age, value in enumerate(reversed(self._log_rates)):
            insort(weighted, (value, DECAY**age))
        self.log_rate = _weighted_median(weighted)

    def __len__(self) -> int:
        return len(self._log_rates)


class Work:
    """Everything measured of one work, that is of one `Profile.key`."""

    __slots__ = ("cells", "fixed", "flops_per_sample", "over_nodes")

    def __init__(self) -> None:
        self.cells: dict[str, dict[int, Cell]] = {}
        """Device model → width → rates, inside one node."""
        self.over_nodes: dict[str, dict[int, Cell]] = {}
        """The same of attempts that spanned nodes: there the network counts."""
        self.flops_per_sample = 0.0
        """0: unknown."""
        self.fixed = True
        """Whether it is one indivisible sample, like a command: devices may not speed it up."""

    def rates(self, model: str, *, spans: bool) -> Mapping[int, Cell]:
        """By width; `spans`: over several nodes. Empty if nothing was measured there."""
        return (self.over_nodes if spans else self.cells).get(model, {})


def nearest(rates: Mapping[int, Cell], width: int) -> int:
    """The measured width closest to `width` by ratio; there must be one."""
    return min(rates, key=lambda known: abs(math.log(known / width)))


class History:
    """All measurements, condensed."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._overheads: dict[str, dict[str, deque[float]]] = {}
        self._model_overheads: dict[str, deque[float]] = {}

    def add(self, measurement: Measurement, *, spans: bool = False) -> bool:
        """Add a measurement; False if it is of no use (no work done, no time taken).

        `spans`: the attempt ran on several nodes.
        """
        facts = (measurement.samples, measurement.seconds, measurement.overhead_s)
        if not all(map(math.isfinite, facts)) or measurement.width < 1:
            return False
        if measurement.samples <= 0 or measurement.seconds <= 0:
            return False
        work = self._works.setdefault(measurement.key, Work())
        work.fixed &= measurement.samples == 1 and not measurement.flops_per_sample
        if measurement.flops_per_sample > 0:
            work.flops_per_sample = measurement.flops_per_sample
        model = measurement.model
        measured = (work.over_nodes if spans else work.cells).setdefault(model, {})
        measured.setdefault(measurement.width, Cell()).add(measurement.rate)
        overhead = max(0.0, measurement.overhead_s)
        own = self._overheads.setdefault(measurement.key, {})
        own.setdefault(model, deque(maxlen=KEPT)).append(overhead)
        if not work.fixed:
            self._model_overheads.setdefault(model, deque(maxlen=KEPT)).append(overhead)
        return True

    def work(self, key: str) -> Work | None:
        """What is known of a work."""
        return self._works.get(key)

    def on(self, model: str) -> Iterator[tuple[Work, Mapping[int, Cell]]]:
        """Every work measured on a device model, with its rates by width."""
        for work in self._works.values():
            if cells := work.cells.get(model):
                yield work, cells

    def overhead(self, key: str, model: str) -> float | None:
        """Seconds before the first sample: of the work there, else elsewhere, else of others."""
        own = self._overheads.get(key, {})
        anywhere = [seconds for seen in own.values() for seconds in seen]
        seen = own.get(model) or anywhere or self._model_overheads.get(model)
        return median(seen) if seen else None


def _weighted_median(pairs: list[tuple[float, float]]) -> float:
    """The value at which half of the weight is reached; `pairs` ascend by value."""
    half = sum(weight for _, weight in pairs) / 2
    reached = 0.0
    for value, weight in pairs:
        reached += weight
        if reached >= half:
            return value
    return pairs[-1][0]
