"""Time as drivers read it; pure code takes `now` as an argument instead."""

from __future__ import annotations

import time
from typing import Protocol

STEP_S = 1.0
"""A smaller correction of the clock is no step."""


class Clock(Protocol):
    """Where a driver gets the time from."""

    def now(self) -> float:
        """Unix seconds (UTC)."""

    def stepped(self) -> float:
        """Seconds by which somebody set the clock since the last call; 0: nobody did."""


class SystemClock:
    """The machine's own clock, held against the time since its start, which nobody can set."""

    def __init__(self) -> None:
        self._start = _start()

    def now(self) -> float:
        """Unix seconds (UTC)."""
        return time.time()

    def stepped(self) -> float:
        """Seconds by which somebody set the clock since the last call; 0: nobody did."""
        before, self._start = self._start, _start()
        step = self._start - before
        return step if abs(step) >= STEP_S else 0.0


def _start() -> float:
    """When the machine started, by what its clock says now; suspended time counts."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.time() - time.clock_gettime(kind)
