"""Sweeps as interfaces show them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler.domain.groups.sweeps import Sweep, SweepTrial, TrialState
from scheduler.domain.jobs import Attempt, Job
from scheduler.store.base import JobQuery, Store

MOST_ATTEMPTS = 100_000


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial with its job and what it has cost so far."""

    trial: SweepTrial
    job: Job | None
    device_s: float
    """Seconds of its attempts × their widths, of one that runs to now."""
    dollars: float
    """Measured, of ended attempts."""
    saved_device_s: float | None
    """What its rest would have taken, had it not been pruned, by its own epochs so far."""

    @property
    def state(self) -> str:
        """The job's state while the trial is live, else its own."""
        if self.trial.state is TrialState.LIVE and self.job is not None:
            return self.job.state.value
        return self.trial.state.value


@dataclass(frozen=True, slots=True)
class SweepView:
    """A sweep with its trials, the best first."""

    sweep: Sweep
    trials: Sequence[TrialView]
    best: SweepTrial | None
    """The best of the completed trials."""

    @classmethod
    def read(cls, store: Store, number: int, now: float) -> SweepView:
        """From the store; `now` in Unix seconds. Raises `MissingError`."""
        sweep = store.sweeps.sweep(number)
        direction = sweep.spec.direction
        trials = sorted(
            store.sweeps.trials(number),
            key=lambda trial: (direction.rank(trial.value), trial.number),
        )
        jobs = {job.id: job for job in store.jobs(JobQuery(sweep=number), limit=len(trials))}
        attempts: dict[int, list[Attempt]] = {}
        for attempt in store.find_attempts(jobs=list(jobs), limit=MOST_ATTEMPTS):
            attempts.setdefault(attempt.job, []).append(attempt)
        completed = [trial for trial in trials if trial.state is TrialState.COMPLETED]
        return cls(
            sweep,
            [_trial(trial, jobs, attempts, now) for trial in trials],
            completed[0] if completed else None,
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Trials by state; QUEUED are those that wait."""
        return Counter(view.state for view in self.trials)

    @property
    def device_s(self) -> float:
        """Of all trials."""
        return math.fsum(view.device_s for view in self.trials)

    @property
    def dollars(self) -> float:
        """Of all trials."""
        return math.fsum(view.dollars for view in self.trials)

    @property
    def saved_device_s(self) -> float:
        """What pruning saved, of the trials for which it can be told."""
        return math.fsum(view.saved_device_s or 0.0 for view in self.trials)


def _trial(
    trial: SweepTrial,
    jobs: Mapping[int, Job],
    attempts: Mapping[int, Sequence[Attempt]],
    now: float,
) -> TrialView:
    job = None if trial.job is None else jobs.get(trial.job)
    own = attempts.get(trial.job or 0, ())
    width = max(own, key=lambda one: one.number).width if own else 1
    saved = trial.saved_s
    return TrialView(
        trial,
        job,
        device_s=math.fsum(_ran_s(attempt, now) * attempt.width for attempt in own),
        dollars=math.fsum(attempt.dollars or 0.0 for attempt in own),
        saved_device_s=None if saved is None else saved * width,
    )


def _ran_s(attempt: Attempt, now: float) -> float:
    if attempt.started_at is None:
        return 0.0
    return max(0.0, (attempt.finished_at or now) - attempt.started_at)
