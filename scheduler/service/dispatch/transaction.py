"""A batch of changes on its way to the store.

Several things may happen to one job before the next commit (started, then ended), so each change
builds on the one before, not on the live jobs.
"""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.records import Decision
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.store.base import Store


class Transaction:
    """Transitions in order, with the jobs as they will be."""

    def __init__(self, live_jobs: LiveJobs) -> None:
        self._live_jobs = live_jobs
        self._jobs: dict[int, Job] = {}
        self._attempts: dict[int, Attempt] = {}
        self._transitions: list[Transition] = []
        self._decisions: list[Decision] = []

    def __len__(self) -> int:
        return len(self._transitions)

    def job(self, job: int) -> Job | None:
        """A live job as it will be; None if it is, or will be, final."""
        found = self._jobs.get(job) or self._live_jobs.jobs.get(job)
        return None if found is None or found.state.final else found

    def ended(self, job: int) -> Job | None:
        """A job that will have ended with these changes."""
        found = self._jobs.get(job)
        return found if found is not None and found.state.final else None

    def attempt(self, job: int) -> Attempt | None:
        """The attempt that holds devices for a job, as it will be."""
        found = self._attempts.get(job) or self._live_jobs.attempts.get(job)
        return None if found is None or found.state.final else found

    def add(self, transition: Transition, decision: Decision | None = None) -> None:
        """Add a change."""
        self._jobs[transition.job.id] = transition.job
        if transition.attempt is not None:
            self._attempts[transition.job.id] = transition.attempt
        self._transitions.append(transition)
        if decision is not None:
            self._decisions.append(decision)

    def note(self, decision: Decision) -> None:
        """Add a decision that changes no job: a reservation."""
        self._decisions.append(decision)

    def commit(self, store: Store, now: float) -> tuple[Sequence[Transition], frozenset[int]]:
        """Write all in one transaction, then change the live jobs.

        Returns what took effect, and the jobs with a change that did not: for those the live
        jobs are older than the store.
        """
        if not self._transitions and not self._decisions:
            return (), frozenset()
        written = store.record(self._transitions, self._decisions)
        done = [item for item, ok in zip(self._transitions, written, strict=True) if ok]
        for transition in done:
            self._live_jobs.apply(transition, now)
        return done, frozenset(
            item.job.id for item, ok in zip(self._transitions, written, strict=True) if not ok
        )
