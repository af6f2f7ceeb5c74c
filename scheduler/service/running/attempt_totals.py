"""What the ended attempts of live jobs have used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from scheduler.domain.jobs import Attempt


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """Sums over the ended attempts of one job."""

    dollars: float = 0.0
    device_s: float = 0.0
    """Run time × width (s)."""


class AttemptTotalsByJob:
    """The usage of live jobs."""

    def __init__(self) -> None:
        self._totals: dict[int, AttemptTotals] = {}

    def of(self, job: int) -> AttemptTotals:
        """Nothing for a job without an ended attempt."""
        return self._totals.get(job, AttemptTotals())

    def add(self, attempt: Attempt) -> None:
        """Count an attempt that has ended."""
        before = self.of(attempt.job)
        self._totals[attempt.job] = AttemptTotals(
            before.dollars + (attempt.dollars or 0.0),
            before.device_s + attempt.ran_s * attempt.width,
        )

    def forget(self, job: int) -> None:
        """The job has ended, or is read again."""
        self._totals.pop(job, None)

    def known(self) -> Collection[int]:
        """Jobs that have used something."""
        return self._totals.keys()
