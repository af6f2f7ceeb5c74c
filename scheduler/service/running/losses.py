"""What an ended attempt leaves to the next one, and what preemption cost it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scheduler.domain import transitions
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import AttemptState
from scheduler.executors.base import Exited
from scheduler.service.paths import Paths
from scheduler.service.running.saved_work import SavedWork, saved_work
from scheduler.store.base import Store
from scheduler.workloads.spec.specs import resumable


@dataclass(frozen=True, slots=True)
class Losses:
    """Measures saved work and lost seconds when an attempt ends."""

    store: Store
    folders: Paths

    def settle(self, job: Job, attempt: Attempt, event: Exited) -> tuple[Job, Attempt]:
        """The job with its progress, and both with the seconds that preemption cost.

        Lost is what the attempt did after its last checkpoint, if it was preempted, and its time
        before the first sample, if the attempt before it was.
        """
        begun = attempt.started_at
        if event.success and not job.preemptions:
            return job, attempt
        if begun is None or not resumable(job.spec.kind, job.spec.work):
            return job, attempt
        ran = max(0.0, event.time - begun)
        lost = min(ran, _overhead_s(event)) if self._resumes(attempt) else 0.0
        saved = None if event.success else self._saved(attempt, begun)
        if event.preempted:
            kept = 0.0 if saved is None else min(max(saved.time - begun, 0.0), ran)
            lost += ran - max(kept, lost)
        return transitions.interrupted(job, attempt, 0.0 if saved is None else saved.fraction, lost)

    def _resumes(self, attempt: Attempt) -> bool:
        """Whether the attempt before this one was preempted."""
        before = [one for one in self.store.attempts(attempt.job) if one.number < attempt.number]
        return bool(before) and before[-1].state is AttemptState.PREEMPTED

    def _saved(self, attempt: Attempt, begun: float) -> SavedWork | None:
        return saved_work(
            self.folders.attempt(attempt.job, attempt.number),
            self.folders.checkpoints(attempt.job),
            begun,
        )


def _overhead_s(event: Exited) -> float:
    value = event.result.get("overhead_s")
    if isinstance(value, int | float) and math.isfinite(value):
        return max(0.0, float(value))
    return 0.0
