"""How long attempts may take to stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GracePeriods:
    """Seconds between asking an attempt to stop and stopping it."""

    cancel_s: float = 5.0
    preempt_s: float = 30.0
    """For an attempt that is preempted and saves its work."""
