"""Launches committed placements."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from scheduler.domain.errors import FulcrumError
from scheduler.domain.jobs import Attempt
from scheduler.domain.lifecycle import JobState
from scheduler.executors.base import Executor, Exited
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.live.live_jobs import LiveJobs


class Launcher:
    """Hands placed attempts to the executor, each until it is taken."""

    def __init__(
        self,
        live_jobs: LiveJobs,
        executor: Executor,
        launch_specs: LaunchSpecBuilder,
        post: Callable[[Exited], None],
        counters: Counter[str],
        grace: GracePeriods,
    ) -> None:
        self._live_jobs = live_jobs
        self._executor = executor
        self._launch_specs = launch_specs
        self._post = post
        self._counters = counters
        self._grace = grace
        self._waiting: deque[Attempt] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Launch these attempts later; one that was launched before is not started again."""
        self._waiting.extend(attempts)

    def launch(self, now: float) -> None:
        """Launch what was added. If the executor fails on one, the others are launched first.

        Raises what the executor raised; the next call tries again.
        """
        failure: Exception | None = None
        for _ in range(len(self._waiting)):
            attempt = self._waiting.popleft()
            try:
                self._launch(attempt, now)
            except Exception as error:
                self._waiting.append(attempt)
                failure = error
        if failure is not None:
            raise failure

    def _launch(self, attempt: Attempt, now: float) -> None:
        job, pool = self._live_jobs.jobs.get(attempt.job), self._live_jobs.pool(attempt.pool)
        holding = self._live_jobs.attempts.get(attempt.job)
        if job is None or pool is None or holding is None or holding.id != attempt.id:
            return  # it has ended meanwhile
        if job.state is JobState.CANCELLING:
            self._withdraw(attempt, now)
            return
        if job.state is JobState.PREEMPTING:  # the answer of its commit was lost
            self._executor.preempt(attempt.id, grace_s=self._grace.preempt_s)
            return
        try:
            order = self._launch_specs.build(job, attempt, pool)
        except FulcrumError as error:
            reason = f"could not start: {error.message}"
            self._post(Exited(attempt.id, now, reason, success=False, retriable=False))
            return
        self._executor.launch(order)
        self._counters["launches"] += 1

    def _withdraw(self, attempt: Attempt, now: float) -> None:
        """Cancel an attempt that the executor may or may not have taken: ask it."""
        if attempt.id in self._executor.alive([self._launch_specs.folders.key(attempt)]):
            self._executor.cancel(attempt.id, grace_s=self._grace.cancel_s)
        else:
            self._post(Exited(attempt.id, now, "cancelled", success=False))
