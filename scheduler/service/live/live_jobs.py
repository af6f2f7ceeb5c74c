"""The live jobs in memory: what a round needs, kept in step with the store.

The store is the truth. `LiveJobs` mirrors it and changes only after a commit. One thread changes
it, under `lock`; others take the lock to read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from scheduler.decisions.state.entries import Nodes
from scheduler.decisions.state.plan import Placement, Plan, Reservation
from scheduler.decisions.state.preemption import RunningJob
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
from scheduler.domain.errors import InfeasibleError, StateError
from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, Estimate, Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.nodes import LOCAL
from scheduler.domain.pools import Pool
from scheduler.service.clock_corrections import ClockCorrections, bounded, delayed
from scheduler.service.hold_reasons import HoldReasons
from scheduler.service.live.backlog import Backlog, Estimates, Preference
from scheduler.service.live.dependencies import Dependencies
from scheduler.service.live.placement_options import (
    affordable,
    worthwhile,
)
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.held_devices import held_devices
from scheduler.service.projects.accounts import ProjectAccounts
from scheduler.service.running.active_attempts import ActiveAttempts
from scheduler.service.running.attempt_totals import AttemptTotalsByJob
from scheduler.service.running.running_attempts import lowest
from scheduler.service.running.running_jobs import done_share, progress


class LiveJobs:
    """The live jobs, their active attempts, and the backlog of those that compete for devices."""

    def __init__(
        self,
        pools: Sequence[Pool],
        estimates: Estimates,
        preference: Preference,
        stored: Callable[[int], Job],
        origin: float = 0.0,
        preempts: Callable[[], bool] = lambda: False,
        nodes: ClusterNodes | None = None,
        projects: ProjectAccounts | None = None,
    ) -> None:
        """`stored`: any job, from the store. `origin`: see `World`.

        `preempts`: whether a round may preempt now, so that snapshots tell of running jobs.
        `nodes`: on which of them jobs may start; None: on all. `projects`: their accounts; None:
        projects do not matter.
        """
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.pools = tuple(pools)
        self.jobs: dict[int, Job] = {}
        """Jobs that are not final."""
        self._corrections = ClockCorrections()
        self.active = ActiveAttempts(self._corrections)
        self.attempts: Mapping[int, Attempt] = self.active.attempts
        """The attempt that holds devices, by job."""
        self._index = {pool.name: at for at, pool in enumerate(self.pools)}
        self._estimates = estimates
        self._preference = preference
        self._preempts = preempts
        self._nodes = nodes
        self.projects = projects
        self._origin = origin
        self._newest = 0
        self._dependencies = Dependencies(stored)
        self.totals = AttemptTotalsByJob()
        """Of jobs whose ended attempts are known."""
        self._backlog = Backlog(
            self.jobs,
            estimates,
            preference,
            self._dependencies,
            self.totals,
            self._corrections,
            World(self.pools, origin=origin),
            by_project=projects is not None,
        )
        self.held: Mapping[int, HoldReasons] = self._backlog.held
        """Queued jobs that do not compete."""
        self._committed: tuple[Reservation, ...] = ()
        self._claims: tuple[Reservation, ...] = ()

    def load(self, jobs: Iterable[Job], attempts: Iterable[Attempt], now: float) -> None:
        """Take over what the store holds, at the start."""
        with self.changed:
            if self.projects is not None:
                self.projects.load(self.pools, now)
            for job in jobs:
                self.jobs[job.id] = bounded(job, now)
                self._newest = max(self._newest, job.id)
                self._dependencies.add(job)
            for attempt in attempts:
                self._hold(attempt, now)
            for job in list(self.jobs.values()):
                self._backlog.add(job, now)

    def admit(self, jobs: Iterable[Job], now: float) -> None:
        """Add new jobs, already stored, in the order of their ids.

        A repeated submission names jobs that are known, or that have ended: those are skipped.
        """
        with self.changed:
            for job in jobs:
                if job.id <= self._newest or job.state.final:
                    continue
                self._dependencies.open(job, self.jobs)  # asks the store, so before any change
                self._newest = job.id
                self.jobs[job.id] = job
                self._dependencies.add(job)
                self._backlog.add(job, now)
            self.changed.notify_all()

    def change_pools(self, pools: Sequence[Pool], now: float) -> None:
        """The cluster has other pools, or pools of another size."""
        with self.changed:
            self.pools = tuple(pools)
            self._index = {pool.name: at for at, pool in enumerate(self.pools)}
            self._committed = self._claims = ()
            self._backlog.change_pools(self.pools, self._origin, now)
            self.changed.notify_all()

    def apply(self, transition: Transition, now: float) -> None:
        """Take over a change that was written."""
        attempt = transition.attempt
        with self.changed:
            self.jobs.setdefault(transition.job.id, transition.job)
            if attempt is not None:
                if attempt.state.final:
                    self._release(attempt.job, attempt, now)
                    self._corrections.forget(attempt.id)
                    self.totals.add(attempt)
                else:
                    self._hold(attempt, now)
            self._put(transition.job, now)
            self.changed.notify_all()

    def restore(self, job: Job, attempts: Iterable[Attempt], now: float) -> None:
        """Take over a job as the store has it, with all its attempts, after a lost answer."""
        with self.changed:
            self.jobs.setdefault(job.id, job)
            self._release(job.id, None, now)
            self.totals.forget(job.id)
            for attempt in attempts:
                if attempt.state.final:
                    self.totals.add(attempt)
                else:
                    self._hold(attempt, now)
            self._put(job, now)
            self.changed.notify_all()

    def reconsider(self, now: float, chosen: Callable[[JobSpec], bool] | None = None) -> bool:
        """Look again at held jobs whose time has come, and at queued jobs with `chosen` work.

        For changed estimates or preferences. Returns whether another job competes now.
        """
        with self.changed:
            before = self._backlog.queue.depth
            due = self._backlog.due(now)
            if chosen is not None:
                due += [
                    job.id
                    for job in self.jobs.values()
                    if job.state is JobState.QUEUED and chosen(job.spec)
                ]
            for job in due:
                self._backlog.reconsider(job, now)
            return bool(due) and (chosen is not None or self._backlog.queue.depth > before)

    def shift(self, seconds: float, now: float) -> None:
        """The clock was set forward (or back): what waits or runs does so no longer than before."""
        with self.changed:
            self._corrections.shift(
                seconds, (*self.jobs, *(attempt.id for attempt in self.attempts.values()))
            )
            self.active.shift(seconds)
            self._dependencies.shift(seconds)
            if self.projects is not None:
                self.projects.shift(seconds)
            self._committed = ()
            for job in list(self.jobs.values()):
                self.jobs[job.id] = delayed(job, seconds)
                self._backlog.reconsider(job.id, now)

    def reestimate(self, key: str, now: float) -> None:
        """Look again at the queued jobs of one work if a measurement changed it materially."""
        with self.lock:
            if self._backlog.moved(key):
                self.reconsider(now, lambda spec: spec.profile.key == key)

    def unmet(self) -> Iterator[tuple[Job, int]]:
        """Queued jobs, each with a dependency that ended without success."""
        with self.lock:
            yield from self._backlog.unmet()

    def next_due(self) -> float | None:
        """Unix seconds at which a held job's reason ends by itself."""
        with self.lock:
            return self._backlog.next_due()

    def next_period(self, now: float) -> float:
        """Unix seconds at which projects of waiting jobs may spend again; inf: none is limited."""
        with self.lock:
            if self.projects is None:
                return inf
            return self.projects.next_period(self._backlog.queue.projects, now)

    def snapshot(self, now: float) -> Snapshot:
        """The world now, as a value."""
        with self.lock:
            snapshot = Snapshot(now, self._world(now), self._committed, claims=self._claims)
            return self._with_progress(snapshot) if self._preempts() else snapshot

    def promise(self, plan: Plan) -> None:
        """What the last round reserved, for a sticky mode, and for whom attempts are stopped."""
        with self.lock:
            self._committed, self._claims = plan.reservations, plan.claims

    def with_job(self, job: int, spec: JobSpec, now: float) -> Snapshot:
        """The world as it would be with one more waiting job; raises `InfeasibleError`."""
        found = worthwhile(self._estimates(spec), self._preference(spec))
        if spec.budget is not None:
            found = affordable(found, spec.budget) or found
        waiting = self._backlog.waiting(job, spec, now, found)
        with self.lock:
            world, committed = self._world(now), self._committed
            world.add(waiting)
            if self.projects is not None:
                self.projects.tell(world, now)
        return Snapshot(now, world, committed)

    def with_changed(self, job: Job, spec: JobSpec, now: float) -> Snapshot | None:
        """The world as it would be if a waiting job had this specification.

        None if it does not wait for devices, or could not run anywhere.
        """
        with self.lock:
            found = self._backlog.placements(replace(job, spec=spec), now)
            if job.id not in self._backlog.queue or isinstance(found, HoldReasons):
                return None
            since = self._backlog.waits_since(job, now)
            snapshot = Snapshot(now, self._world(now), self._committed, claims=self._claims)
        snapshot.world.remove(job.id)
        snapshot.world.add(self._backlog.waiting(job.id, spec, since, found))
        return snapshot

    def estimate(self, placed: Placement) -> Estimate:
        """The estimate that a placement of the last snapshot was decided on."""
        return self._backlog.estimate(placed)

    def free_devices(
        self, pool: int, nodes: Nodes, taken: Sequence[Attempt] = ()
    ) -> tuple[int, ...] | None:
        """The lowest device indices on these nodes that neither an attempt nor `taken` holds.

        None if there are too few.
        """
        busy = {
            device
            for attempt in (*self.attempts.values(), *taken)
            if self._index.get(attempt.pool) == pool
            for device in attempt.devices
        }
        return lowest(nodes, self.pools[pool].devices_per_node, busy)

    def node_names(self, pool: int, nodes: Nodes) -> tuple[str, ...]:
        """The names of nodes of a pool, each once, by rank."""
        if self._nodes is None:
            return (LOCAL,)
        inventory, name = self._nodes.inventory, self.pools[pool].name
        return tuple(dict.fromkeys(inventory.node(name, number) for number, _ in nodes))

    def jobs_on(self, node: str) -> int:
        """How many attempts were placed on a node and have not ended."""
        with self.lock:
            return sum(node in attempt.nodes for attempt in self.attempts.values())

    def queued(self) -> list[JobSpec]:
        """What the jobs that wait are."""
        with self.lock:
            return [job.spec for job in self.jobs.values() if job.state is JobState.QUEUED]

    def projects_of_jobs(self) -> set[str]:
        """The projects of the live jobs."""
        with self.lock:
            return {job.spec.project for job in self.jobs.values()}

    def counts(self) -> Mapping[str, int]:
        """Live jobs by what they wait for: `devices`, a held cause, or `active`."""
        with self.lock:
            counts = {"devices": self._backlog.queue.depth, "active": len(self.attempts)}
            for held in self.held.values():
                counts[held.cause] = counts.get(held.cause, 0) + 1
            return counts

    def pool(self, name: str) -> Pool | None:
        """The pool of that name; None if it is no longer configured."""
        at = self._index.get(name)
        return None if at is None else self.pools[at]

    def validate(self) -> None:
        """Raises `StateError` that lists every invariant that does not hold."""
        with self.lock:
            faults = list(self._faults())
        if faults:
            raise StateError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        queued = {job.id for job in self.jobs.values() if job.state is JobState.QUEUED}
        yield from self._backlog.faults(queued)
        if any(job.state.final for job in self.jobs.values()):
            yield "jobs that have ended are live"
        if not self.attempts.keys() <= self.jobs.keys() - queued:
            yield f"attempts of jobs that are not active: {sorted(self.attempts)}"
        if not set(self.totals.known()) <= self.jobs.keys():
            yield f"costs of jobs that are not live: {sorted(self.totals.known())}"
        yield from self.active.faults()
        yield from self._dependencies.faults(self.jobs)

    def _put(self, job: Job, now: float) -> None:
        self._backlog.remove(job.id)
        if not job.state.final:
            # An attempt that began before the clock was set back ends in the future.
            self.jobs[job.id] = bounded(job, now)
            self._backlog.add(self.jobs[job.id], now)
            return
        self.jobs.pop(job.id, None)
        self.totals.forget(job.id)
        self._corrections.forget(job.id)
        for dependent in self._dependencies.remove(job):
            self._backlog.reconsider(dependent, now)

    def _hold(self, attempt: Attempt, now: float) -> None:
        pool, boot_s = self.pool(attempt.pool), 0.0
        if self._nodes is not None and pool is not None and attempt.started_at is None:
            boot_s = self._nodes.boot_s(attempt.nodes, pool, now)
        self.active.hold(attempt, boot_s)
        if self.projects is not None:
            self.projects.begin(self.jobs[attempt.job].spec.project, attempt, self.pools)

    def _release(self, job: int, ended: Attempt | None, now: float) -> None:
        self.active.release(job)
        if self.projects is not None:
            self.projects.end(job, ended, now)

    def _with_progress(self, snapshot: Snapshot) -> Snapshot:
        found = [self._running_job(one.job, snapshot.now) for one in snapshot.world.running()]
        running_jobs = tuple(job for job in found if job is not None)
        return replace(snapshot, running_jobs=running_jobs, progress=dict(self._backlog.progress))

    def _world(self, now: float) -> World:
        """A copy of the queue, with what runs."""
        world = self._backlog.queue.copy()
        running = self.active.running(self.pools, now)
        world.start_all(running)
        if self._nodes is not None:
            world.start_all(held_devices(self._nodes.held(self.pools, now), self.pools, running))
            for pool, number in self._nodes.warm(self.pools):
                world.mark_up(pool, number)
        if self.projects is not None:
            self.projects.tell(world, now)
        return world

    def _running_job(self, number: int, now: float) -> RunningJob | None:
        """What decisions know of a job whose attempt works; None before that."""
        job, attempt = self.jobs[number], self.attempts[number]
        if attempt.started_at is None:
            return None
        try:
            whole = self._estimates(job.spec)
        except InfeasibleError:
            return None
        left_s = max(0.0, self.active.ends[number] - now)
        done = done_share(job, attempt, whole, self.pools, left_s)
        left = self._backlog.placements(replace(job, progress=done), now)
        if isinstance(left, HoldReasons):
            return None  # it could not start again
        service_s = self.active.elapsed(attempt, now) * attempt.width
        state = progress(job, left, self.totals.of(number).device_s + service_s)
        waiting = self._backlog.waiting(number, job.spec, self._backlog.waits_since(job, now), left)
        return self.active.running_job(job, waiting, state, now)
