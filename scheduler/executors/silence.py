"""How long something has not answered.

Time is counted in short steps of the monotonic clock. While this process or the whole machine
stands still, nothing else can be heard, so that time does not count.
"""

from __future__ import annotations

import time

_STEP_S = 2.0


class SilenceLimit:
    """Time spent waiting for one answer; `exhausted` must be called at least every two seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._waited_s = 0.0
        self._looked_at = time.monotonic()

    def renew(self) -> None:
        """The answer came: begin again."""
        self._waited_s = 0.0
        self._looked_at = time.monotonic()

    def exhausted(self) -> bool:
        """Whether the wait has lasted too long."""
        now = time.monotonic()
        self._waited_s += min(now - self._looked_at, _STEP_S)
        self._looked_at = now
        return self._waited_s >= self.limit_s
