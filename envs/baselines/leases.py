"""Schedulers that give devices for a limited time, to compare with.

A ranking (`scheduler.decisions.preemption.ranking`) gives each job one rank that does not change
while it waits. The schedulers here weigh each placement of each job by what all jobs have received
so far, and decide again whenever leases end, so they have a frame of their own. They see estimates,
never true runtimes. `run` runs a simulation with one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import NamedTuple, Protocol

from envs.simulator.placements import PoolWidth
from envs.simulator.preemption.wake_ups import WakeUps
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.decisions.preemption.rules import unstoppable
from scheduler.decisions.preemption.trial import fit, full, hold, placement
from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.preemption import Preemption, PreemptionReason
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World

GRAIN_S = 1e-6
"""A lease that ends this soon has ended: sums are rounded."""
Request = tuple[int, EstimatedPlacement]
"""A job and a placement that it shall get if its devices are free."""


class LeasedJob(NamedTuple):
    """A job that waits or runs, as a scheduler with leases sees it; it has no true runtime."""

    id: int
    submitted_at: float
    priority: float
    whole: Sequence[EstimatedPlacement]
    """Its placements with estimates of the whole job, as it entered."""
    left: Sequence[EstimatedPlacement]
    """The same with estimates of what is left of it, and of the restart if there would be one."""
    received: Mapping[PoolWidth, float]
    """Seconds for which it has held devices, by placement."""
    asks: bool
    """Whether it may get devices now: it waits, or its lease has ended."""


@dataclass(frozen=True, slots=True)
class LeaseScene:
    """What a scheduler with leases sees when it decides."""

    now: float
    jobs: Sequence[LeasedJob]
    """All that wait or run, oldest first."""
    free: World
    """The cluster, in which the devices of ended leases are free. Not to be changed."""


class LeaseScheduler(Protocol):
    """A scheduler for one run. It may remember what it has seen."""

    lease_s: float
    aligned: bool
    """Whether all leases end together, at the multiples of `lease_s`, as rounds do."""

    def requests(self, scene: LeaseScene) -> Iterable[Request]:
        """Placements of jobs that ask, the most important first. A job gets its first that fits."""


def run(simulation: Simulation, scheduler: LeaseScheduler) -> SimulationResult:
    """Run a simulation to its end with a scheduler that gives leases.

    A job whose lease ends keeps its devices without a restart if it gets the same placement again.
    Devices that become free before that go to waiting jobs at once. Where the scenario has rules of
    preemption, an attempt that they protect keeps its devices for another lease.
    """
    leases = _Leases(simulation, scheduler)
    while simulation.advance(queued=False):
        leases.decide()
    return simulation.outcome()


class _Lease(NamedTuple):
    place: PoolWidth
    since: float
    until: float


class _Grant(NamedTuple):
    option: EstimatedPlacement
    nodes: Nodes
    kept: bool
    """Whether the job runs there already."""


class _Leases:
    """The leases of one run."""

    def __init__(self, simulation: Simulation, scheduler: LeaseScheduler) -> None:
        self._simulation, self._scheduler = simulation, scheduler
        self._leases: dict[int, _Lease] = {}
        """Running job → its lease."""
        self._received: defaultdict[int, defaultdict[PoolWidth, float]]
        self._received = defaultdict(lambda: defaultdict(float))
        self._whole: dict[int, Sequence[EstimatedPlacement]] = {}
        self._wake_ups = WakeUps(simulation.wake)

    def decide(self) -> None:
        """Give free devices, and those of ended leases, to the jobs that ask for them."""
        simulation, now = self._simulation, self._simulation.now
        running = {each.job: each for each in simulation.world.running() if each.job > 0}
        for number in self._leases.keys() - running.keys():
            self._end(number)
        ended = {number: each for number, each in running.items() if self._has_ended(number)}
        free = simulation.world.copy()
        for number in ended:
            free.finish(number)
        scene = LeaseScene(now, self._jobs(running, ended.keys()), free)
        grants = self._granted(scene, ended)
        self._commit(grants, ended)
        self._wake()

    def _has_ended(self, number: int) -> bool:
        """Whether the lease has ended; it is renewed where rules protect the attempt."""
        lease, now = self._leases[number], self._simulation.now
        if lease.until > now + GRAIN_S:
            return False
        rules = self._simulation.spec.preemption
        if rules.weighed and unstoppable(self._simulation.running_job(number), now, rules, inf):
            self._leases[number] = lease._replace(until=self._until(number))
            return False
        return True

    def _jobs(self, running: Iterable[int], ended: Iterable[int]) -> Sequence[LeasedJob]:
        waiting = waiting_jobs(self._simulation.world)
        asking = {job.id for job in waiting} | set(ended)
        jobs = [self._seen(job, job.id in asking) for job in waiting]
        for number in running:
            job = self._simulation.running_job(number)
            here, restart_s = self._leases[number].place, job.progress.restart_s
            # A job that keeps its devices has no restart.
            left = [
                each._replace(runtime_s=max(each.runtime_s - restart_s, 0.0))
                if each[:2] == here
                else each
                for each in job.job.options
            ]
            jobs.append(self._seen(job.job, number in asking)._replace(left=left))
        present = {job.id for job in jobs}
        for number in self._whole.keys() - present:
            del self._whole[number]
            self._received.pop(number, None)
        return sorted(jobs, key=lambda job: (job.submitted_at, job.id))

    def _seen(self, job: Waiting, asks: bool) -> LeasedJob:
        whole = self._whole.setdefault(job.id, job.options)
        received = dict(self._received[job.id])
        lease = self._leases.get(job.id)
        if lease is not None:
            so_far = self._simulation.now - lease.since
            received[lease.place] = received.get(lease.place, 0.0) + so_far
        return LeasedJob(job.id, job.submitted_at, job.priority, whole, job.options, received, asks)

    def _granted(
        self, scene: LeaseScene, ended: Mapping[int, RunningAttempt]
    ) -> Mapping[int, _Grant]:
        """The job → what it gets. Jobs stay on their nodes if the others fit beside them."""
        requests = self._scheduler.requests(scene)
        first = self._placed(requests, scene.free.copy(), ended)
        stays = {
            number: each
            for number, each in first.items()
            if number in ended and each.option[:2] == self._leases[number].place
        }
        moves = {number: each for number, each in first.items() if number not in stays}
        again = [(number, each.option) for number, each in (*stays.items(), *moves.items())]
        grants = self._placed(again, scene.free.copy(), ended)
        return grants if len(grants) == len(first) else first

    def _placed(
        self, requests: Iterable[Request], free: World, ended: Mapping[int, RunningAttempt]
    ) -> Mapping[int, _Grant]:
        grants: dict[int, _Grant] = {}
        for number, option in requests:
            if number in grants:
                continue
            if full(free):
                break
            attempt = ended.get(number)
            if attempt is not None and option[:2] == (attempt.pool, attempt.width):
                try:
                    free.start(attempt)
                except ValueError:
                    pass  # another job has taken one of its nodes
                else:
                    grants[number] = _Grant(option, attempt.nodes, kept=True)
                    continue
            nodes = fit(free, option)
            if nodes is not None:
                hold(free, number, option, nodes, self._simulation.now)
                grants[number] = _Grant(option, nodes, kept=False)
        return grants

    def _commit(self, grants: Mapping[int, _Grant], ended: Mapping[int, RunningAttempt]) -> None:
        now = self._simulation.now
        starts = {number: each for number, each in grants.items() if not each.kept}
        kept = grants.keys() - starts.keys()
        stops = [number for number in ended if number not in kept]
        first = next(iter(starts), 0)
        for number in stops:
            self._end(number)
        self._simulation.commit(
            Plan(
                now,
                type(self._scheduler).__name__.lower(),
                (),
                preemptions=tuple(
                    Preemption(number, first, PreemptionReason.POLICY, 0.0, 0.0) for number in stops
                ),
                deferred=tuple(
                    placement(number, each.option, each.nodes) for number, each in starts.items()
                ),
            )
        )
        for number, each in starts.items():
            self._leases[number] = _Lease(each.option[:2], now, self._until(number))
        for number in ended.keys() & kept:
            self._leases[number] = self._leases[number]._replace(until=self._until(number))

    def _until(self, number: int) -> float:
        """When a lease that is given now ends.

        It counts from the end of boot and restart, so that a job gets work done in each lease.
        """
        lease_s = self._scheduler.lease_s
        begin = max(self._simulation.now, self._simulation.running_job(number).begun_at)
        if not self._scheduler.aligned:
            return begin + lease_s
        return (floor((begin + GRAIN_S) / lease_s) + 1) * lease_s

    def _end(self, number: int) -> None:
        lease = self._leases.pop(number)
        self._received[number][lease.place] += self._simulation.now - lease.since

    def _wake(self) -> None:
        soonest = min((each.until for each in self._leases.values()), default=inf)
        self._wake_ups.ask(self._simulation.now, soonest)
