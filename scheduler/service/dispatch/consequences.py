"""What follows from a change once it is committed: an attempt is stopped, a runtime is learned."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from scheduler.domain.events import Transition
from scheduler.domain.lifecycle import AttemptState, JobState
from scheduler.estimates.estimator import Estimator
from scheduler.executors.base import Executor
from scheduler.service.dispatch.observation import measured
from scheduler.service.dispatch.plan_changes import PlanChanges
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.store.base import Store


class Consequences:
    """Committed transitions, in order, whose consequences are still to be drawn."""

    def __init__(
        self,
        store: Store,
        live_jobs: LiveJobs,
        executor: Executor,
        estimator: Estimator,
        plan_changes: PlanChanges,
        counters: Counter[str],
        grace: GracePeriods,
    ) -> None:
        self._store = store
        self._live_jobs = live_jobs
        self._executor = executor
        self._estimator = estimator
        self._plan_changes = plan_changes
        self._counters = counters
        self._grace = grace
        self._open: deque[Transition] = deque()
        self.lost_s = 0.0
        """Seconds of attempts that preemption cost, since the start."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, transitions: Iterable[Transition]) -> None:
        """Transitions were committed."""
        self._open.extend(transitions)

    def draw(self, now: float) -> None:
        """Draw all consequences. If one fails, the next call goes on with it."""
        while self._open:
            self._draw(self._open[0], now)
            self._open.popleft()

    def _draw(self, transition: Transition, now: float) -> None:
        job, attempt = transition.job, transition.attempt
        if job.state is not JobState.QUEUED:
            self._plan_changes.forget(job.id)
        if job.state is JobState.CANCELLING:
            running = self._live_jobs.attempts.get(job.id)
            if running is not None:
                self._executor.cancel(running.id, grace_s=self._grace.cancel_s)
        if job.state is JobState.PREEMPTING:
            self._preempt(transition, now)
        if attempt is None or not attempt.state.final:
            return
        self._estimator.forget(attempt.id)
        self._counters["preemptions"] += attempt.state is AttemptState.PREEMPTED
        self.lost_s += attempt.lost_s
        pool = self._live_jobs.pool(attempt.pool)
        if attempt.state is AttemptState.SUCCEEDED and pool is not None:
            measurement = measured(job, attempt, pool)
            self._store.measure(measurement)
            self._estimator.observe(measurement)
            self._live_jobs.reestimate(measurement.key, now)

    def _preempt(self, transition: Transition, now: float) -> None:
        job = transition.job.id
        running = self._live_jobs.attempts.get(job)
        if running is None:
            return
        grace_s, preemptor = self._grace.preempt_s, transition.event.data.get("by", 0)
        with self._live_jobs.lock:
            self._live_jobs.active.stop(job, now + grace_s, preemptor)
        self._executor.preempt(running.id, grace_s=grace_s)
