"""The simulated cluster: SimPy moves time, `scheduler.decisions` decides.

`next` advances time until something may be decided and returns the round; `commit` carries out its
plan. True runtimes, random events and the times of future events never leave this package.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from math import inf, isfinite, isnan

import numpy as np
import simpy
from simpy.events import Event

from envs.simulator.attempts import Attempts
from envs.simulator.billing import CostModel
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.invariants import Invariants
from envs.simulator.meter import Meter, overlap
from envs.simulator.nodes import NodePool
from envs.simulator.placements import FeasiblePlacements, PlacementSet
from envs.simulator.preemption import moving
from envs.simulator.preemption.ranked import SimulatedRanking
from envs.simulator.random_events import RandomEvents
from envs.simulator.results import SimulationResult, load_until, outcome
from envs.simulator.simulated_job import HeldDevices, SimulatedJob
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
from envs.workloads.streams import Seed
from scheduler.arrays import Ints
from scheduler.decisions.preemption.ranking import Ranking
from scheduler.decisions.preemption.trial import hold, option_of
from scheduler.decisions.preemption.urgent import with_urgent
from scheduler.decisions.rounds.policy import Policy, mode_of, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.entries import EstimatedPlacement, Shape, Waiting
from scheduler.decisions.state.node_placement import rule
from scheduler.decisions.state.plan import Plan, Reservation
from scheduler.decisions.state.preemption import JobProgress, RunningJob
from scheduler.decisions.state.usage import ProjectUsage
from scheduler.decisions.state.world import World

__all__ = ["ClusterSpec", "Simulation"]


class Simulation:
    """One workload on one cluster. Equal arguments and choices give equal results."""

    def __init__(
        self,
        workload: Workload,
        spec: ClusterSpec,
        estimator: RuntimeEstimator | None = None,
        meter: Meter | None = None,
        *,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        check: bool = False,
        record: bool = False,
    ) -> None:
        """Prepare a simulation at time 0.

        `seed`: of failures and revocations. `restart`: seconds that a further attempt of a job
        loses, instead of the cluster's figure. `check`: check `Invariants` at every instant.
        `record`: keep `held`.
        """
        self.spec = spec
        """The simulated cluster."""
        self.meter = meter
        """Gets everything that accrues; None: nothing is metered."""
        self.world = World(spec.pools, origin=workload.origin, rule=rule(spec.placement))
        """What decisions know: the cluster and the jobs that wait."""
        self._mode = spec.mode
        self._urgent = spec.preemption.urgent
        self._ranking: SimulatedRanking | None = None
        self._workload = workload
        self._counted = workload.counted_slice
        if meter is not None:
            meter.counted_time = workload.counted_time
        self._estimator = estimator or Exact()
        self._jobs: dict[int, SimulatedJob] = {}
        self._committed: tuple[Reservation, ...] = ()
        self._decision_due = False
        self._env = simpy.Environment(0.0)
        self._invariants = Invariants(spec.pools) if check else None
        self._placements = FeasiblePlacements(spec.pools)
        self._shapes: dict[PlacementSet, Ints] = {}
        self._cost_model = CostModel(spec, meter, workload.counted_time)
        self._usage = None if spec.sharing is None else ProjectUsage(spec.sharing)
        random_events = RandomEvents(seed)
        self._attempts = Attempts(
            self._env,
            spec,
            self.world,
            self._estimator,
            random_events,
            self._cost_model,
            meter,
            self._enqueue,
            self._notify,
            restart,
            record,
            workload.counted_time,
            self._usage,
        )
        self._attempts.node_pools = {
            index: NodePool(
                self._env,
                self.world,
                index,
                spec.supply(index),
                spec.failures,
                random_events,
                self._lose,
                self._notify,
                partial(self._cost_model.nodes, index),
                workload.counted_time,
            )
            for index in spec.changing()
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
        return self.world.depth

    @property
    def finished(self) -> int:
        """Jobs that have ended, well or not."""
        return self._attempts.ended

    @property
    def held(self) -> Sequence[HeldDevices] | None:
        """Every attempt that has ended, in order of its end; None unless recorded."""
        return self._attempts.held

    def next(self) -> Round | None:
        """Run until something may be decided; None when every counted job has ended, or none will.

        Raises `InfeasibleError` when a job arrives that fits no pool.
        """
        if not self.advance():
            return None
        return Round(self.world, self._env.now, self._mode, self._committed)

    def commit(self, plan: Plan, *, save: bool = True) -> None:
        """Carry out what the round decided; the world holds its placements already.

        Stops are instant, so what is deferred until then starts at once. `save`: a preempted job
        writes a checkpoint first.
        """
        self._committed = plan.reservations
        for stopped in plan.preemptions:
            self.preempt(stopped.victim, save=save)
        for placement in plan.placements:
            self._dequeue(placement.job)
            self._attempts.start(self._jobs[placement.job], placement)
        for placement in plan.deferred:
            self._dequeue(placement.job)
            hold(self.world, placement.job, option_of(placement), placement.nodes, self.now)
            self._attempts.start(self._jobs[placement.job], placement)

    def run(self, policy: Policy) -> SimulationResult:
        """Let one policy decide everything, in the mode it was made for if there is one."""
        self._mode = mode_of(policy, self.spec.mode)
        own = traits(policy)
        if own.ranking is not None:
            self.ranked(policy.name, own.ranking).run()
            return self.outcome()
        if isfinite(own.lease_s):
            moving.run(self, policy, self._mode, self.spec.preemption)
            return self.outcome()
        while (round_ := self.next()) is not None:
            plan = decide(round_, policy)
            if self._urgent:
                plan = self._with_urgent(plan, own.starvation_s)
            self.commit(plan)
        return self.outcome()

    def outcome(self) -> SimulationResult:
        """The record of the counted jobs so far."""
        now, workload, model = self.now, self._workload, self._cost_model
        on = {index: each.device_seconds for index, each in self._attempts.node_pools.items()}
        jobs = [self._jobs.get(job.id) for job in workload.jobs]
        running = [job for job in jobs if job is not None and job.running]
        holding = [(job.pool, job.width, job.ready) for job in running]
        billed, used = model.device_seconds(now, on, holding)
        if self._invariants is not None:
            self._invariants.end(billed, used)
        time, useful = workload.counted_time, self._attempts.useful
        useful = sum((overlap(job.begun, now, time) * job.width for job in running), useful)
        submitted = [job.submitted_at for job in workload.jobs]
        started = [np.nan if job is None else job.started for job in jobs]
        return outcome(
            workload.jobs[self._counted],
            jobs[self._counted],
            self.spec.pools,
            load_until(workload, now, submitted, started, useful),
            model.idle_dollars(billed, used),
            model.idle_joules(now, on, used),
        )

    def wake(self, delay_s: float) -> None:
        """Let something be decided `delay_s` seconds from now, even if nothing happens."""
        self._env.timeout(delay_s).callbacks.append(lambda _: self._notify())

    def ranked(self, policy: str, ranking: Ranking) -> SimulatedRanking:
        """Keep the queue in the order of a ranking; before the first round only."""
        assert not self._jobs, "jobs have arrived already"
        self._ranking = SimulatedRanking(self, policy, ranking, self.spec.preemption)
        return self._ranking

    def preempt(self, number: int, *, save: bool = False) -> None:
        """End a job's attempt and queue the job again; `save`: it writes a checkpoint first.

        Raises `KeyError` if the job does not run.
        """
        job = self._jobs[number]
        if not job.running:
            raise KeyError(number)
        job.preemptions += 1
        self._attempts.interrupt(job, save=save)

    def progress(self, number: int) -> JobProgress:
        """The visible progress of a job. Raises `KeyError` before it arrives."""
        job = self._jobs[number]
        service = job.service
        if job.running:
            service += max(0.0, self.now - job.ready) * job.width
        share = self._working_share(job)
        left = min(
            job.remaining(place, self._estimator, share * estimate)
            for place, estimate in enumerate(job.estimates)
        )
        _, width = min(zip(job.estimates, job.placements.width.tolist(), strict=True))
        return JobProgress(
            left, int(width), service, self._attempts.restart_s(job), job.preemptions
        )

    def running_job(self, number: int) -> RunningJob:
        """A running job as decisions see it. Raises `KeyError` before it arrives."""
        job = self._jobs[number]
        interval = self.spec.failures.checkpoint_s
        worked = max(0.0, self.now - job.begun)
        saved = worked // interval * interval if interval else 0.0
        return RunningJob(
            self._waiting(job, self._working_share(job)),
            self.progress(number),
            job.placed,
            job.begun,
            job.begun + saved,
        )

    def holding(self) -> list[HeldDevices]:
        """Devices of running attempts, from their allocation until now."""
        return [
            HeldDevices(job.arrival.id, job.pool, job.nodes, job.memory, job.placed, self.now)
            for job in self._jobs.values()
            if job.running
        ]

    def job(self, number: int) -> Arrival:
        """A job with its true runtimes. Raises `KeyError` before it arrives."""
        return self._jobs[number].arrival

    def advance(self, *, queued: bool = True) -> bool:
        """Run until something may be decided; False at the end.

        `queued`: only while jobs wait. Else also when only running jobs could move.
        """
        env, every_event, attempts = self._env, self.spec.every_event, self._attempts
        total = self._counted.stop - self._counted.start
        while attempts.counted < total:
            if self._decision_due and (every_event or env.peek() > env.now):
                self._decision_due = False
                if self._invariants is not None:
                    self._verify(self._invariants)
                if self.world.depth or not queued:
                    if self._usage is not None:
                        self._usage.tell(self.world, env.now)
                    return True
            if env.peek() == inf:
                return False
            env.step()
        if self._invariants is not None:
            self._verify(self._invariants)
        return False

    def _with_urgent(self, plan: Plan, starvation_s: float) -> Plan:
        """The plan, with preemptions for urgent jobs that it leaves waiting."""
        placed = {placement.job for placement in plan.placements}
        running = (
            self.running_job(attempt.job)
            for attempt in self.world.running()
            if attempt.job > 0 and attempt.job not in placed
        )
        return with_urgent(plan, self.world, running, self.spec.preemption, starvation_s)

    def _arrivals(self) -> Generator[Event, None, None]:
        env = self._env
        for position, job in enumerate(self._workload.jobs):
            if job.submitted_at > env.now:
                yield env.timeout(job.submitted_at - env.now)
            self._enter(job, counted=self._counted.start <= position < self._counted.stop)

    def _enter(self, arrival: Arrival, *, counted: bool) -> None:
        placements = self._placements.of(arrival)
        by_run = [self._estimator.estimate(arrival, run) for run in arrival.runs]
        estimates = [by_run[run] for run in placements.run]
        ideal = min(run.runtime_s for run in arrival.runs)
        job = SimulatedJob(arrival, placements, estimates, ideal, counted)
        if arrival.done:
            # It has run where that is shortest; what is known of it is for how long.
            job.done, job.known = arrival.done, arrival.done * ideal / max(min(estimates), 1e-9)
        self._jobs[arrival.id] = job
        self.world.ask(placements.places, arrival.memory_bytes)
        if self.meter is not None and counted:
            self.meter.arrive(self.now, ideal, arrival.priority)
        self._enqueue(job)

    def _enqueue(self, job: SimulatedJob) -> None:
        arrival = job.arrival
        numbers = (
            arrival.id,
            arrival.submitted_at,
            arrival.priority,
            inf if arrival.deadline is None else arrival.deadline,
            self.spec.preference if arrival.preference is None else arrival.preference,
        )
        self.world.enter(
            np.array(numbers, dtype=np.float64),
            self._shapes_of(job),
            job.placements.figures(self._seconds(job)),
            "" if self._usage is None else arrival.project,
        )
        if self._ranking is not None:
            self._ranking.add(self._waiting(job))
        self._decision_due = True

    def _dequeue(self, number: int) -> None:
        self.world.remove(number)
        if self._ranking is not None:
            self._ranking.remove(number)

    def _seconds(self, job: SimulatedJob, share: float = 0.0) -> Sequence[float]:
        """(n,) Estimated seconds of the job's next attempt by placement.

        `share`: of a whole run, by estimate, that its attempt has worked since the last checkpoint.
        """
        if not job.attempts and not job.known:
            return job.estimates
        restart = self._attempts.restart_s(job) if job.attempts else 0.0
        return [
            restart + job.remaining(place, self._estimator, share * estimate)
            for place, estimate in enumerate(job.estimates)
        ]

    def _waiting(self, job: SimulatedJob, share: float = 0.0) -> Waiting:
        """The job as decisions see it in the queue; `share` as for `_seconds`."""
        arrival, placements = job.arrival, job.placements
        figures = placements.figures(self._seconds(job, share)).T.tolist()
        return Waiting(
            arrival.id,
            arrival.submitted_at,
            [
                EstimatedPlacement(*place, arrival.memory_bytes, *its)
                for place, its in zip(placements.places, figures, strict=True)
            ],
            arrival.priority,
            inf if arrival.deadline is None else arrival.deadline,
            self.spec.preference if arrival.preference is None else arrival.preference,
            "" if self._usage is None else arrival.project,
        )

    def _working_share(self, job: SimulatedJob) -> float:
        """Share of a whole run, by estimate, that a running attempt has worked so far."""
        if not job.running:
            return 0.0
        return max(0.0, self.now - job.begun) / max(job.estimates[job.place], 1e-9)

    def _shapes_of(self, job: SimulatedJob) -> Ints:
        """(n,) The shapes of a job's placements in the world."""
        known = self._shapes.get(job.placements)
        if known is None:
            memory = job.arrival.memory_bytes
            shapes = [self.world.shape(Shape(*place, memory)) for place in job.placements.places]
            known = self._shapes[job.placements] = np.array(shapes, dtype=np.int64)
        return known

    def _lose(self, number: int) -> None:
        """End the attempt of a job whose node is gone."""
        self._attempts.interrupt(self._jobs[number])

    def _notify(self) -> None:
        self._decision_due = True

    def _verify(self, invariants: Invariants) -> None:
        running = {number for number, job in self._jobs.items() if job.running}
        ended = {number for number, job in self._jobs.items() if not isnan(job.ended)}
        waiting = self._jobs.keys() - running - ended
        assert len(waiting) == self.waiting, f"{self.waiting} of {len(waiting)} wait"
        assert len(ended) == self.finished
        held = self.world.running()
        invariants.instant(self.now, held, len(self._jobs), waiting, running, len(ended))
