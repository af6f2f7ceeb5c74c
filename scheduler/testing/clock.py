"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading


class ManualClock:
    """Time that a test sets; any thread may read it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now
        self._step = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Unix seconds (UTC)."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> float:
        """Let `seconds` pass; returns the new time. Raises `ValueError` if negative."""
        with self._lock:
            return self._set(self._now + seconds)

    def advance_to(self, time: float) -> float:
        """Let time pass until `time`; returns it. Raises `ValueError` if it is in the past."""
        with self._lock:
            return self._set(time)

    def set_by(self, seconds: float) -> float:
        """Set the clock forward or back, as an administrator does; returns the new time."""
        with self._lock:
            self._now += seconds
            self._step += seconds
            return self._now

    def stepped(self) -> float:
        """Seconds by which the clock was set since the last call; 0: it was not."""
        with self._lock:
            step, self._step = self._step, 0.0
            return step

    def _set(self, time: float) -> float:
        if time < self._now:
            raise ValueError(f"time does not run back from {self._now} to {time}")
        self._now = time
        return time
