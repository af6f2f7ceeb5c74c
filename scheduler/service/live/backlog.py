"""The queued jobs in memory: those that compete for devices, and those that are held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from scheduler.decisions.state.entries import Waiting
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.preemption import JobProgress
from scheduler.decisions.state.world import World
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.jobs import Estimate, Job, JobSpec, eligible_since
from scheduler.domain.lifecycle import JobState
from scheduler.domain.pools import Pool
from scheduler.estimates.options import PoolEstimate
from scheduler.service.clock_corrections import ClockCorrections
from scheduler.service.hold_reasons import SCHEDULED, HoldReasons
from scheduler.service.live.dependencies import Dependencies
from scheduler.service.live.placement_options import counted, within_budget, worthwhile
from scheduler.service.running.attempt_totals import AttemptTotalsByJob
from scheduler.service.running.running_jobs import progress, remaining

MATERIAL = 0.05
"""A change of an estimate below this share leaves the queue as it is."""

Estimates = Callable[[JobSpec], Sequence[PoolEstimate]]
"""Every placement of a job with its estimate; raises `InfeasibleError`."""
Preference = Callable[[JobSpec], float]


class Backlog:
    """Sorts queued jobs into those that compete and those that are held.

    `LiveJobs` owns it: its lock guards it, and `jobs` are its live jobs.
    """

    def __init__(
        self,
        jobs: Mapping[int, Job],
        estimates: Estimates,
        preference: Preference,
        dependencies: Dependencies,
        totals: AttemptTotalsByJob,
        corrections: ClockCorrections,
        queue: World,
        *,
        by_project: bool,
    ) -> None:
        """`queue`: empty, with the pools. `by_project`: whether decisions see projects."""
        self._jobs = jobs
        self._estimates = estimates
        self._preference = preference
        self._dependencies = dependencies
        self._totals = totals
        self._corrections = corrections
        self._by_project = by_project
        self.queue = queue
        """The jobs that compete; nothing runs in it."""
        self.held: dict[int, HoldReasons] = {}
        """Queued jobs that do not compete."""
        self.progress: dict[int, JobProgress] = {}
        """Of competing jobs that have run before."""
        self._timed: dict[int, float] = {}
        """When the reason of a held job ends by itself, Unix seconds."""
        self._broken: set[int] = set()
        """Held jobs with a dependency that ended without success."""
        self._estimated: dict[str, tuple[JobSpec, Sequence[PoolEstimate]]] = {}
        """The newest estimates of each work, by the key of its profile."""
        self._sources: dict[int, dict[tuple[int, int], str]] = {}
        """Where the estimates of competing jobs come from, by job and (pool, width)."""

    def add(self, job: Job, now: float) -> None:
        """Let a queued job compete, or hold it; other jobs are left out."""
        if job.state is not JobState.QUEUED:
            return
        found = self.placements(job, now)
        if not isinstance(found, HoldReasons):
            self.queue.add(self.waiting(job.id, job.spec, self.waits_since(job, now), found))
            if job.attempts:
                service_s = self._totals.of(job.id).device_s
                self.progress[job.id] = progress(job, found, service_s)
            self._sources[job.id] = {(one.pool, one.width): one.estimate.source for one in found}
            return
        self.held[job.id] = found
        if found.until is not None:
            self._timed[job.id] = found.until
        if found.cause == "dependency" and any(self._dependencies.unmet(job, self._jobs)):
            self._broken.add(job.id)

    def remove(self, job: int) -> None:
        """Let a job neither compete nor be held."""
        if job in self.queue:
            self.queue.remove(job)
            self.queue.forget_shapes()
            self.progress.pop(job, None)
            del self._sources[job]
        self.held.pop(job, None)
        self._timed.pop(job, None)
        self._broken.discard(job)

    def reconsider(self, job_id: int, now: float) -> None:
        """Sort a live job again; one that has ended is left out."""
        job = self._jobs.get(job_id)
        if job is not None:
            self.remove(job_id)
            self.add(job, now)

    def change_pools(self, pools: Sequence[Pool], origin: float, now: float) -> None:
        """Sort all jobs again: the cluster has other pools. `origin`: see `World`."""
        competing = self.queue.waiting()
        for job in competing:
            self.remove(job)
        self.queue = World(tuple(pools), origin=origin, projects=self.queue.projects)
        self._estimated.clear()
        for job in sorted({*competing, *self.held}):
            self.reconsider(job, now)

    def placements(self, job: Job, now: float) -> HoldReasons | Sequence[PoolEstimate]:
        """The placements that the job may have now, or why it has none."""
        spec = job.spec
        blockers = self._dependencies.open(job, self._jobs)
        if blockers:
            plural = "s" if len(blockers) > 1 else ""
            names = ", ".join(str(dependency) for dependency in blockers)
            return HoldReasons("dependency", f"waits for job{plural} {names} to succeed", blockers)
        blockers = self._dependencies.turn(job)
        if blockers:
            text = f"waits for its turn: {spec.parallel} of array {spec.array} at the same time"
            return HoldReasons("array", text, blockers)
        if job.eligible_at > now:
            cause, text = ("backoff", job.reason) if job.failures else SCHEDULED
            return HoldReasons(cause, text, until=job.eligible_at)
        try:
            found = self._estimates(spec)
        except InfeasibleError as error:
            return HoldReasons("no-pool", error.message)
        self._estimated[spec.profile.key] = (spec, found)
        found = worthwhile(remaining(found, job.progress), self._preference(spec))
        if spec.budget is None:
            return found
        return within_budget(found, spec.budget - self._totals.of(job.id).dollars)

    def waits_since(self, job: Job, now: float) -> float:
        """From when the job's waiting counts, as the clock reads today."""
        corrected = replace(job, submitted_at=self._corrections.submitted_at(job))
        return min(now, eligible_since(corrected, self._dependencies.ends(job)))

    def waiting(
        self, job: int, spec: JobSpec, waits_since: float, found: Sequence[PoolEstimate]
    ) -> Waiting:
        """The job as decisions see it."""
        return Waiting(
            id=job,
            submitted_at=waits_since,
            options=counted(spec, self.queue.pools, found),
            priority=float(spec.priority),
            deadline=float("inf") if spec.deadline is None else spec.deadline,
            preference=self._preference(spec),
            project=spec.project if self._by_project else "",
        )

    def estimate(self, placed: Placement) -> Estimate:
        """The estimate that a placement of the last snapshot was decided on."""
        source = self._sources[placed.job][placed.pool, placed.width]
        return Estimate(placed.runtime_s, placed.dollars, placed.joules, source)

    def moved(self, key: str) -> bool:
        """Whether the estimates of one work have changed materially since they were used."""
        spec, before = self._estimated.get(key, (None, ()))
        if spec is None:
            return False
        try:
            after = self._estimates(spec)
        except InfeasibleError:
            return False
        return len(after) != len(before) or any(
            abs(new.estimate.runtime_s - old.estimate.runtime_s) > MATERIAL * old.estimate.runtime_s
            for new, old in zip(after, before, strict=True)
        )

    def due(self, now: float) -> list[int]:
        """Held jobs whose reason has ended by itself."""
        return [job for job, until in self._timed.items() if until <= now]

    def next_due(self) -> float | None:
        """Unix seconds at which a held job's reason ends by itself."""
        return min(self._timed.values(), default=None)

    def unmet(self) -> Iterator[tuple[Job, int]]:
        """Queued jobs, each with a dependency that ended without success."""
        for job_id in sorted(self._broken):
            job = self._jobs[job_id]
            for dependency in self._dependencies.unmet(job, self._jobs):
                yield job, dependency
                break

    def faults(self, queued: set[int]) -> Iterator[str]:
        """What is inconsistent; `queued`: the live jobs that are queued."""
        competing = set(self.queue.waiting())
        if not competing <= self._jobs.keys() or competing != self._sources.keys():
            yield "the backlog has jobs that are not live"
        if competing & self.held.keys() or competing | self.held.keys() != queued:
            yield f"queued jobs must either compete or be held: {sorted(queued)}"
        if not {*self._timed, *self._broken} <= self.held.keys():
            yield "jobs that are not held have a reason to be held"
        if not self.progress.keys() <= competing:
            yield f"progress of jobs that do not compete: {sorted(self.progress)}"
