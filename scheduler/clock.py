"""Time as drivers read it; pure code takes `now` as an argument instead."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a driver gets the time from."""

    def now(self) -> float:
        """Unix seconds (UTC)."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Unix seconds (UTC)."""
        return time.time()
