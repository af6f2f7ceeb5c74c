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
    soft_limits: Callable[[Sequence[str], float], list[str]]
    """A sentence for each soft limit that one of these projects exceeds; Unix seconds."""
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

    def warnings(self, specs: Sequence[JobSpec]) -> list[tuple[str, ...]]:
        """What each job of a submission will probably not meet, in sentences.

        The first job of each project gets the soft limits that the project exceeds. Ask before the
        submission, which refuses jobs that could never start; they get no warnings.
        """
        self.refresh()
        now = self.clock.now()
        found: list[tuple[str, ...]] = []
        projects: set[str] = set()
        for spec, late in zip(specs, self.deadlines.warnings(specs, now), strict=True):
            new = [spec.project] if spec.project not in projects else []
            projects.add(spec.project)
            found.append((*filter(None, [late]), *self.soft_limits(new, now)))
        return found

    def late(self, job: Job) -> tuple[str, ...]:
        """A sentence if a waiting job that was changed cannot meet its deadline."""
        self.refresh()
        return tuple(filter(None, [self.deadlines.warning(job, self.clock.now())]))

    def forecast(self) -> QueueForecast:
        """Expected starts of waiting jobs and ends of running ones."""
        self.refresh()
        return self.forecasts.at(self.clock.now())

    def figures(self, jobs: Sequence[Job]) -> list[JobFigures]:
        """What each job has cost and reached so far, and how far its running attempt is."""
        self.refresh()
        return self.job_figures.of(jobs, self.clock.now())
