"""What people ask about jobs: those that exist, and those that they may submit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scheduler.clock import Clock
from scheduler.domain.jobs import Job, JobSpec
from scheduler.service.queries.deadlines import DeadlineCheck
from scheduler.service.queries.explain import ExplainService
from scheduler.service.queries.job_figures import JobFiguresQuery
from scheduler.service.queries.queue_forecast import QueueForecasts
from scheduler.service.queries.views import Explanation, JobFigures, Outlook, QueueForecast
from scheduler.store.base import Store


@dataclass(frozen=True, slots=True)
class JobQueries:
    """Answers questions about jobs now; changes nothing. Thread-safe."""

    store: Store
    explanations: ExplainService
    forecasts: QueueForecasts
    deadlines: DeadlineCheck
    job_figures: JobFiguresQuery
    clock: Clock
    check: Callable[[JobSpec], None]
    """Raises `InfeasibleError` or `InputError` for a job that could never start."""
    refresh: Callable[[], None]
    """Called before every answer."""

    def explain(self, job_id: int) -> Explanation:
        """Why the job is where it is; raises `MissingError`."""
        self.refresh()
        job = self.store.job(job_id)
        decisions = self.store.decisions(job_id)
        return self.explanations.explain(job, decisions, self.clock.now())

    def plan(self, spec: JobSpec) -> list[Outlook]:
        """What would happen to the job, for fast, balanced and cheap; raises as `check`."""
        self.refresh()
        self.check(spec)
        return self.explanations.plan(spec, self.clock.now())

    def warnings(self, specs: Sequence[JobSpec]) -> list[str]:
        """What each job of a submission will probably not meet; empty texts: nothing is seen.

        Ask before the submission, which refuses jobs that could never start; they get no warnings.
        """
        self.refresh()
        return self.deadlines.warnings(specs, self.clock.now())

    def forecast(self) -> QueueForecast:
        """Expected starts of waiting jobs and ends of running ones."""
        self.refresh()
        return self.forecasts.at(self.clock.now())

    def figures(self, jobs: Sequence[Job]) -> list[JobFigures]:
        """What each job has cost and reached so far, and how far its running attempt is."""
        self.refresh()
        return self.job_figures.of(jobs, self.clock.now())
