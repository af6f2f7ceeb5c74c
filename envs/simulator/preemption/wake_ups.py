"""Wake-ups: a scheduler wants to decide at a certain time although nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

GRAIN_S = 1e-6
"""Rounds that are asked for this close to each other are one: sums are rounded."""


class WakeUps:
    """Asks a simulation for the next one. `wake` takes the seconds from now."""

    def __init__(self, wake: Callable[[float], None]) -> None:
        self._wake, self._next = wake, inf

    def ask(self, now: float, at: float) -> None:
        """Wake at `at`, unless that is asked for already or an earlier time is; inf: never."""
        if self._next <= now + GRAIN_S:
            self._next = inf
        if at < self._next - GRAIN_S:
            self._next = at
            self._wake(max(at - now, GRAIN_S))
