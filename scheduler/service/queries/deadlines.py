"""Which deadlines of a submission cannot be met, by the estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from scheduler.decisions.rounds.forecast import forecast
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.jobs import PREFERENCES, Job, JobSpec
from scheduler.domain.units import duration
from scheduler.service.live.backlog import Estimates
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.queries.explain import TRIAL, too_slow
from scheduler.service.queries.views import QueueForecast

MOST_FORECAST = 20
"""Jobs of one submission whose start is forecast; of others only the runtime counts."""
MOST_WAITING = 1000
"""Longest queue behind which a start is forecast: a submission must not take seconds."""


@dataclass(frozen=True, slots=True)
class DeadlineCheck:
    """Finds the earliest expected ends of jobs before they are submitted."""

    live_jobs: LiveJobs
    active_policy: ActivePolicy
    estimates: Estimates
    queue: Callable[[], QueueForecast]
    """Expected ends of the jobs that were submitted before."""

    def warnings(self, specs: Sequence[JobSpec], now: float) -> list[str]:
        """For each spec a sentence if its deadline cannot be met, else an empty text.

        -k in `after` means the k-th spec, which stands before. `now`: Unix seconds.
        """
        none = [""] * len(specs)
        if all(spec.deadline is None for spec in specs):
            return none
        try:
            ends = self._earliest(specs, now)
        except InfeasibleError:  # the submission will be refused with the reason
            return none
        return [_sentence(spec.deadline, end) for spec, end in zip(specs, ends, strict=True)]

    def warning(self, job: Job, now: float) -> str:
        """A sentence if the deadline of a job that waits cannot be met, else an empty text."""
        deadline, number = job.spec.deadline, job.id
        if deadline is None:
            return ""
        ends = self._ends()
        waits = [ends.get(one) or self._least_end(one, now) for one in job.spec.after]
        least = max(waits, default=now) + self._fastest_s(job.spec) * (1 - job.progress)
        return _sentence(deadline, max(least, ends.get(number, now)))

    def _earliest(self, specs: Sequence[JobSpec], now: float) -> list[float]:
        """When each may end at the earliest, Unix seconds."""
        earlier = self._ends()
        ends: list[float] = []
        forecasts = 0
        for spec in specs:
            waits = [
                ends[-one - 1] if one < 0 else earlier.get(one) or self._least_end(one, now)
                for one in spec.after
            ]
            end = max(waits, default=now) + self._fastest_s(spec)
            if spec.deadline is not None and end <= spec.deadline and forecasts < MOST_FORECAST:
                forecasts += 1
                end = max(end, self._forecast_end(spec, now))
            ends.append(end)
        return ends

    def _ends(self) -> Mapping[int, float]:
        """Expected ends of live jobs; those out of sight are missing."""
        found = self.queue()
        ends = {one.job: one.end for one in found.running}
        return ends | {one.job: one.end for one in found.waiting}

    def _least_end(self, number: int, now: float) -> float:
        """When a job may end that the forecast does not have; `now` if it has ended."""
        job = self.live_jobs.jobs.get(number)
        return now if job is None else now + self._fastest_s(job.spec) * (1 - job.progress)

    def _fastest_s(self, spec: JobSpec) -> float:
        return min(found.estimate.runtime_s for found in self.estimates(spec))

    def _forecast_end(self, spec: JobSpec, now: float) -> float:
        """When it ends if it is fast and waits for no other job; `now` if that is not in sight."""
        wished = replace(spec, preference=PREFERENCES["fast"], after=())
        snapshot = self.live_jobs.with_job(TRIAL, wished, now)
        if too_slow(snapshot) or snapshot.world.depth > MOST_WAITING:
            return now
        policy, mode = self.active_policy.uncounted()
        start = forecast(snapshot, policy, mode, until=TRIAL).get(TRIAL)
        return now if start is None else start.end


def _sentence(deadline: float | None, end: float) -> str:
    if deadline is None or end <= deadline:
        return ""
    clock = datetime.fromtimestamp(end).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return (
        f"its deadline cannot be met: the earliest expected end is {clock}, "
        f"{duration(end - deadline)} after it"
    )
