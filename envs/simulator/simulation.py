"""The simulated cluster: SimPy moves time, `scheduler.decisions` decides.

`next` runs the world until something can be decided and hands out the round; `commit` carries its
plan out. True runtimes, luck and the time of anything to come never leave this package.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from math import isnan
from typing import Protocol

import simpy
from simpy.events import Event

from envs.simulator.attempts import Attempts
from envs.simulator.billing import CostModel
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.invariants import Invariants
from envs.simulator.job_state import HeldDevices, JobState, SimulatedProgress
from envs.simulator.meter import Meter
from envs.simulator.nodes import NodePool
from envs.simulator.placements import Places
from envs.simulator.random_events import RandomEvents
from envs.simulator.results import SimulationResult, outcome
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
from envs.workloads.streams import Seed
from scheduler.decisions.rounds.policy import Policy, mode_of, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.rounds.sorted_queue import SortedQueue, walk
from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.node_placement import rule
from scheduler.decisions.state.plan import Plan, Reservation
from scheduler.decisions.state.queue import Backlog, Waiting

__all__ = ["ClusterSpec", "Queued", "Simulation"]


class Queued(Protocol):
    """Where waiting jobs are kept."""

    def add(self, job: Waiting) -> None:
        """A job enters."""

    def remove(self, job: int) -> None:
        """A job leaves."""

    def __len__(self) -> int:
        """Waiting jobs."""


class Simulation:
    """One workload on one site. Deterministic: equal arguments and choices give equal lives."""

    def __init__(
        self,
        workload: Workload,
        site: ClusterSpec,
        estimator: RuntimeEstimator | None = None,
        meter: Meter | None = None,
        *,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        check: bool = False,
        record: bool = False,
    ) -> None:
        """Nothing has happened yet.

        `seed`: of failures and revocations. `restart`: seconds that a further attempt of a job
        loses, if not the site's. `check`: hold every instant against `Invariants`. `record`: keep
        `held`.
        """
        self.site = site
        self.meter = meter
        """Told of all that accrues, if there is one."""
        self.cluster = Cluster(site.pools, rule=rule(site.placement))
        self._mode = site.mode
        self._workload = workload
        self._estimator = estimator or Exact()
        self._origin = workload.origin
        self._queue: Queued = Backlog(workload.origin)
        self._live: dict[int, JobState] = {}
        self._committed: tuple[Reservation, ...] = ()
        self._stirred = False
        self._env = simpy.Environment()
        self._invariants = Invariants(site.pools) if check else None
        self._places = Places(site.pools)
        self._bill = CostModel(site, meter)
        luck = RandomEvents(seed)
        self._attempts = Attempts(
            self._env,
            site,
            self.cluster,
            self._estimator,
            luck,
            self._bill,
            meter,
            self._enqueue,
            self._stir,
            restart,
            record,
        )
        self._attempts.fleets = {
            index: NodePool(
                self._env,
                self.cluster,
                index,
                site.supply(index),
                site.failures,
                luck,
                self._lose,
                self._stir,
                partial(self._bill.nodes, index),
            )
            for index in site.changing()
        }
        if workload.jobs:
            self._env.process(self._arrivals())

    @property
    def now(self) -> float:
        """Simulated seconds since the start of the workload."""
        return float(self._env.now)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    @property
    def finished(self) -> int:
        """Jobs that have ended, well or not."""
        return self._attempts.ended

    @property
    def held(self) -> Sequence[HeldDevices] | None:
        """Every attempt that has ended, in order of its end; None unless recorded."""
        return self._attempts.held

    def next(self) -> Round | None:
        """Run until something may be decided; None when every job has ended, or none ever will.

        Raises `InfeasibleError` when a job arrives that fits no pool.
        """
        backlog = self._queue
        assert isinstance(backlog, Backlog), "rounds are made of a backlog"
        if not self.advance():
            return None
        return Round(backlog.view(), self.cluster, self.now, self._mode, self._committed)

    def commit(self, plan: Plan) -> None:
        """Carry out what the round decided; the cluster holds it already."""
        self._committed = plan.reservations
        for placement in plan.placements:
            self._queue.remove(placement.job)
            self._attempts.start(self._live[placement.job], placement)

    def run(self, policy: Policy) -> SimulationResult:
        """Let one policy decide everything, in the mode it was made for if there is one."""
        self._mode = mode_of(policy, self.site.mode)
        rank = traits(policy).rank
        if rank is not None and not self._live and self._single():
            self._run_in_line(SortedQueue(rank, self._origin), policy.name)
            return self.outcome()
        while (round_ := self.next()) is not None:
            self.commit(decide(round_, policy))
        return self.outcome()

    def outcome(self) -> SimulationResult:
        """What has happened so far."""
        on = {index: fleet.device_seconds for index, fleet in self._attempts.fleets.items()}
        billed, used = self._bill.device_seconds(self.now, on)
        if self._invariants is not None:
            self._invariants.end(billed, used)
        lives = [self._live.get(job.id) for job in self._workload.jobs]
        idle_dollars = self._bill.idle_dollars(billed, used)
        idle_joules = self._bill.idle_joules(self.now, on)
        return outcome(self._workload.jobs, lives, self.site.pools, idle_dollars, idle_joules)

    def advance(self) -> bool:
        """Run until something may be decided; for drivers that keep the queue themselves."""
        env, each, attempts = self._env, self.site.each, self._attempts
        total = len(self._workload.jobs)
        while attempts.ended < total:
            if self._stirred and (each or env.peek() > env.now):
                self._stirred = False
                if self._invariants is not None:
                    self._verify(self._invariants)
                if len(self._queue):
                    return True
            if env.peek() == simpy.core.Infinity:
                return False
            env.step()
        if self._invariants is not None:
            self._verify(self._invariants)
        return False

    def keep_queue(self, queue: Queued) -> None:
        """Let waiting jobs enter another queue; before the first `advance` only."""
        assert not self._live, "jobs have arrived already"
        self._queue = queue

    def wake(self, delay_s: float) -> None:
        """Something may be decided then, even if nothing happens."""
        self._env.timeout(delay_s).callbacks.append(lambda _: self._stir())

    def preempt(self, job: int, *, save: bool = False) -> None:
        """End the job's attempt and queue it again; `save`: it writes a checkpoint first.

        Raises `KeyError` if it does not run.
        """
        live = self._live[job]
        if not live.running:
            raise KeyError(job)
        self._attempts.interrupt(live, save=save)

    def progress(self, job: int) -> SimulatedProgress:
        """How far a job has come. Raises `KeyError` before it arrives."""
        live, now = self._live[job], self.now
        service, working = live.service, 0.0
        if live.running:
            service += max(0.0, now - live.ready) * live.width
            working = max(0.0, now - live.begun) / max(live.estimates[live.place], 1e-9)
        left = min(
            live.remaining(place, self._estimator, working * live.estimates[place])
            for place in live.runs
        )
        return SimulatedProgress(
            job, live.job.submitted_at, live.started, live.running, service, left
        )

    def holding(self) -> list[HeldDevices]:
        """Attempts that hold devices, as if they ended now."""
        return [
            HeldDevices(live.job.id, live.pool, live.nodes, live.memory, live.placed, self.now)
            for live in self._live.values()
            if live.running
        ]

    def job(self, number: int) -> Arrival:
        """A job that has arrived, with the truth about it. Raises `KeyError` before."""
        return self._live[number].job

    def _run_in_line(self, line: SortedQueue, policy: str) -> None:
        """The same plans, many times faster: the order never changes, so it is kept."""
        self._queue = line
        cluster, mode = self.cluster, self._mode
        closes = mode.closed and len(cluster.pools) == 1
        blocked, version = 0, -1
        while self.advance():
            unchanged = closes and blocked and version == cluster.version[0]
            if unchanged and (mode.sticky or line.first() == blocked):
                # Nothing has been given back: whoever blocked the only pool still does.
                continue
            self.commit(walk(line, cluster, self._env.now, mode, self._committed, policy))
            blocked = self._committed[0].job if self._committed else 0
            version = cluster.version[0]

    def _arrivals(self) -> Generator[Event, None, None]:
        env = self._env
        for job in self._workload.jobs:
            if job.submitted_at > env.now:
                yield env.timeout(job.submitted_at - env.now)
            self._enter(job)

    def _enter(self, job: Arrival) -> None:
        runs = self._places.of(job)
        estimates = {place: self._estimator.estimate(job, run) for place, run in runs.items()}
        live = self._live[job.id] = JobState(job, runs, estimates)
        self.cluster.ask(runs, job.memory_bytes)
        if self.meter is not None:
            self.meter.arrive(self.now, live.ideal, job.priority)
        self._enqueue(live)

    def _enqueue(self, live: JobState) -> None:
        job = live.job
        seconds = live.estimates
        if live.attempts:
            restart = self._attempts.restart_s(live)
            seconds = {
                place: restart + live.remaining(place, self._estimator) for place in live.runs
            }
        self._queue.add(
            Waiting(
                job.id,
                job.submitted_at,
                [self._places.option(job, place, estimate) for place, estimate in seconds.items()],
                job.priority,
                simpy.core.Infinity if job.deadline is None else job.deadline,
                self.site.preference if job.preference is None else job.preference,
            )
        )
        self._stirred = True

    def _lose(self, job: int) -> None:
        """Its node is gone."""
        self._attempts.interrupt(self._live[job])

    def _stir(self) -> None:
        self._stirred = True

    def _verify(self, invariants: Invariants) -> None:
        running = {job for job, live in self._live.items() if live.running}
        ended = {job for job, live in self._live.items() if not isnan(live.ended)}
        waiting = self._live.keys() - running - ended
        assert len(waiting) == len(self._queue), f"{len(self._queue)} of {len(waiting)} wait"
        assert len(ended) == self.finished
        held = self.cluster.running()
        invariants.instant(self.now, held, len(self._live), waiting, running, len(ended))

    def _single(self) -> bool:
        """Whether no job has a choice of placements."""
        return all(len(self._places.of(job)) == 1 for job in self._workload.jobs)
