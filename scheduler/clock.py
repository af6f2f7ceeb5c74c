"""The clock that drivers read; pure code takes `now` as an argument instead."""

from __future__ import annotations

import time
from typing import Protocol

STEP_S = 1.0
"""Seconds; a smaller correction of the clock is no step."""


class Clock(Protocol):
    """The source of a driver's time."""

    def now(self) -> float:
        """Unix seconds (UTC)."""

    def stepped(self) -> float:
        """Seconds by which the clock was set since the last call; 0: it was not."""


class SystemClock:
    """The machine's clock, compared with the time since its start, which nobody can set."""

    def __init__(self) -> None:
        self._start = _start()

    def now(self) -> float:
        """Unix seconds (UTC)."""
        return time.time()

    def stepped(self) -> float:
        """Seconds by which the clock was set since the last call; 0: it was not."""
        before, self._start = self._start, _start()
        step = self._start - before
        return step if abs(step) >= STEP_S else 0.0


def _start() -> float:
    """The machine's start by its present clock, Unix seconds; suspended time counts."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.time() - time.clock_gettime(kind)
