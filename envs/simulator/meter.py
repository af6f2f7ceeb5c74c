"""What accrues while simulated time passes: time in the system, slowdown, dollars, joules.

Only counted jobs accrue anything, whenever that is. Idle devices accrue in the time that counts.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from envs.simulator.results import BOUND_S
from scheduler.domain.jobs import MIDDLE_PRIORITY


class Reading(NamedTuple):
    """Totals since the start of a simulation, or between two instants of it."""

    time: float = 0.0
    """Seconds."""
    job_seconds: float = 0.0
    """Σ over jobs of time in the system (s)."""
    slowdown: float = 0.0
    """Σ over jobs of time in the system ÷ max(ideal runtime, 10 s): no unit."""
    dollars: float = 0.0
    """Dollars of running attempts, and of devices that are billed while idle."""
    joules: float = 0.0
    """Joules of running attempts, and of devices that are up and idle."""
    misses: int = 0
    """Jobs that ended after their deadline."""
    ended: int = 0
    """Jobs that have ended."""
    weighed_seconds: float = 0.0
    """Σ over jobs of time in the system (s), each times its priority ÷ 50."""

    def __sub__(self, earlier: Reading) -> Reading:
        """What has accrued since an earlier reading."""
        return Reading(
            self.time - earlier.time,
            self.job_seconds - earlier.job_seconds,
            self.slowdown - earlier.slowdown,
            self.dollars - earlier.dollars,
            self.joules - earlier.joules,
            self.misses - earlier.misses,
            self.ended - earlier.ended,
            self.weighed_seconds - earlier.weighed_seconds,
        )


class PowerRates(NamedTuple):
    """What a change of the cluster adds to its costs and its power."""

    dollars: float = 0.0
    """Per hour, of counted jobs."""
    watts: float = 0.0
    """Of counted jobs."""
    idle_dollars: float = 0.0
    """Per hour, of devices that are billed while no job uses them."""
    idle_watts: float = 0.0
    """Of devices that are up while no job uses them."""


def overlap(start: float, end: float, time: tuple[float, float]) -> float:
    """Seconds of `start` to `end` that lie in `time`, which is (start, end) too."""
    return max(0.0, min(end, time[1]) - max(start, time[0]))


class Meter:
    """Integrates rates that change at instants. Changes are reported in order of time."""

    def __init__(self) -> None:
        self.counted_time = 0.0, inf
        """(start, end) of the time in which idle devices count (s)."""
        self._now = 0.0
        self._job_seconds = self._slowdown = self._dollars = self._joules = 0.0
        self._weighed = self._weight = 0.0
        self._impatience = self._price = self._power = 0.0
        self._idle_price = self._idle_power = 0.0
        self._present = self._drawing = 0
        self._misses = self._ended = 0

    def arrive(self, now: float, ideal_s: float, priority: float = MIDDLE_PRIORITY) -> None:
        """A job enters the system; `ideal_s` is its least true runtime."""
        self._advance(now)
        self._weight += priority / MIDDLE_PRIORITY
        self._impatience += 1.0 / max(ideal_s, BOUND_S)
        self._present += 1

    def end(
        self, now: float, ideal_s: float, deadline: float | None, priority: float = MIDDLE_PRIORITY
    ) -> None:
        """A job leaves the system."""
        self._advance(now)
        self._present -= 1
        # Sums of many small rates leave a rounding error, which would accrue without end.
        self._impatience = self._impatience - 1.0 / max(ideal_s, BOUND_S) if self._present else 0.0
        self._weight = self._weight - priority / MIDDLE_PRIORITY if self._present else 0.0
        self._ended += 1
        self._misses += deadline is not None and now > deadline

    def draw(self, now: float, rates: PowerRates) -> None:
        """Jobs and idle devices start to cost and to draw this much more."""
        self._advance(now)
        self._price += rates.dollars / 3600
        self._power += rates.watts
        self._idle_price += rates.idle_dollars / 3600
        self._idle_power += rates.idle_watts
        self._drawing += 1

    def stop(self, now: float, rates: PowerRates) -> None:
        """Take back what an earlier `draw` added."""
        self._advance(now)
        self._drawing -= 1
        if self._drawing:
            self._price -= rates.dollars / 3600
            self._power -= rates.watts
            self._idle_price -= rates.idle_dollars / 3600
            self._idle_power -= rates.idle_watts
        else:
            self._price = self._power = self._idle_price = self._idle_power = 0.0

    def read(self, now: float) -> Reading:
        """Totals until now, which is not before the last change."""
        self._advance(now)
        return Reading(
            now,
            self._job_seconds,
            self._slowdown,
            self._dollars,
            self._joules,
            self._misses,
            self._ended,
            self._weighed,
        )

    def _advance(self, now: float) -> None:
        passed = now - self._now
        if passed:
            idle = overlap(self._now, now, self.counted_time)
            self._now = now
            self._job_seconds += passed * self._present
            self._weighed += passed * self._weight
            self._slowdown += passed * self._impatience
            self._dollars += passed * self._price + idle * self._idle_price
            self._joules += passed * self._power + idle * self._idle_power
