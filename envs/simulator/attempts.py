"""The attempts of a simulation: start, work, failure, end and what is kept of their work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isnan

import simpy
from simpy.events import Event

from envs.simulator.billing import CostModel
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter, PowerRates, overlap
from envs.simulator.nodes import NodePool
from envs.simulator.random_events import RandomEvents
from envs.simulator.simulated_job import HeldDevices, SimulatedJob
from envs.workloads.base import Arrival
from envs.workloads.runtime_estimates import RuntimeEstimator
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.usage import ProjectUsage
from scheduler.decisions.state.world import World

OVERRUN_S = 1e-6
"""An attempt may end this much after its estimate and count as on time: sums are rounded."""


class Attempts:
    """All attempts of one simulation.

    `requeue` is called with each job that has to wait once more, `notify` whenever something may be
    decided.
    """

    def __init__(
        self,
        env: simpy.Environment,
        spec: ClusterSpec,
        world: World,
        estimator: RuntimeEstimator,
        random_events: RandomEvents,
        cost_model: CostModel,
        meter: Meter | None,
        requeue: Callable[[SimulatedJob], None],
        notify: Callable[[], None],
        restart: Callable[[Arrival], float] | None,
        record: bool,
        counted_time: tuple[float, float],
        usage: ProjectUsage | None = None,
    ) -> None:
        self.node_pools: dict[int, NodePool] = {}
        """Pool index → its nodes, for pools whose nodes come and go."""
        self.ended = 0
        """Jobs that have ended, well or not."""
        self.counted = 0
        """Counted ones of them."""
        self.useful = 0.0
        """Device-seconds of work that was kept, in the time that counts."""
        self.held: list[HeldDevices] | None = [] if record else None
        """Every attempt that has ended, in order of its end."""
        self._env, self._spec, self._world = env, spec, world
        self._estimator, self._random_events = estimator, random_events
        self._cost_model, self._meter = cost_model, meter
        self._requeue, self._notify, self._restart = requeue, notify, restart
        self._time, self._usage = counted_time, usage

    def start(self, job: SimulatedJob, placement: Placement) -> None:
        """Start an attempt; the world holds its devices already."""
        pool, now = placement.pool, self._env.now
        job.attempts += 1
        job.running = True
        job.pool, job.width = pool, placement.width
        job.nodes, job.memory = placement.nodes, placement.memory
        job.place = job.placements.places[pool, placement.width]
        job.runtime = job.arrival.runs[job.placements.run[job.place]].runtime_s
        node_pool = self.node_pools.get(pool)
        boot = self._spec.pools[pool].boot_s
        if node_pool is not None:
            boot = node_pool.occupy(placement.job, placement.nodes) - now
            self._world.extend(placement.job, now + boot + placement.runtime_s)
        restart = self.restart_s(job) if job.attempts > 1 else 0.0
        job.placed, job.ready, job.begun = now, now + boot, now + boot + restart
        if isnan(job.started):
            job.started = job.ready
        if self._usage is not None:
            rate = placement.width * float(self._world.pool_charge[pool])
            self._usage.begin(job.arrival.id, job.arrival.project, rate, now)
        if self._meter is not None:
            if boot:
                self._env.timeout(boot).callbacks.append(partial(self._draw, job, job.attempts))
            else:
                self._draw(job, job.attempts)
        self._work(job, boot + restart, boot + placement.runtime_s)

    def interrupt(self, job: SimulatedJob, *, save: bool = False) -> None:
        """End the attempt before its time; `save`: it writes a checkpoint first."""
        self._keep(job, self._stop(job), save=save)
        self._requeue(job)

    def restart_s(self, job: SimulatedJob) -> float:
        """Seconds that a further attempt of a job spends on its restart before it works."""
        if self._restart is None:
            return self._spec.failures.restart_s
        return self._restart(job.arrival)

    def _work(self, job: SimulatedJob, lead: float, believed: float) -> None:
        """Run the attempt: work begins after `lead` seconds and should end after `believed`."""
        attempt, risk = job.attempts, self._spec.failures.per_attempt
        left = job.runtime if not job.done else (1.0 - job.done) * job.runtime
        fails = self._random_events.failure(job.arrival.id, attempt, risk) if risk else None
        if fails is None:
            lasts, ends = lead + left, self._finish
        else:
            lasts, ends = lead + fails * left, self._fail
        self._env.timeout(lasts).callbacks.append(partial(ends, job, attempt))
        if lasts > believed + OVERRUN_S:
            self._env.timeout(believed).callbacks.append(partial(self._overrun, job, attempt))

    def _draw(self, job: SimulatedJob, attempt: int, _: Event | None = None) -> None:
        """Meter the attempt from the moment at which its nodes are up."""
        if self._meter is not None and job.running and job.attempts == attempt:
            job.drawing = True
            self._meter.draw(self._env.now, self._rates(job))

    def _overrun(self, job: SimulatedJob, attempt: int, _: Event) -> None:
        """Replace the estimate of an attempt that still runs at its estimated end."""
        if not job.running or job.attempts != attempt:
            return
        working = max(0.0, self._env.now - job.begun)
        left = job.remaining(job.place, self._estimator, working)
        self._world.extend(job.arrival.id, self._env.now + left)
        self._env.timeout(left).callbacks.append(partial(self._overrun, job, attempt))
        self._notify()

    def _finish(self, job: SimulatedJob, attempt: int, _: Event) -> None:
        if not job.running or job.attempts != attempt:
            return
        self._use(job, self._stop(job))
        self._estimator.ended(job.arrival, job.runtime)
        self._leave(job)

    def _fail(self, job: SimulatedJob, attempt: int, _: Event) -> None:
        if not job.running or job.attempts != attempt:
            return
        worked = self._stop(job)
        job.failures += 1
        if job.failures > self._spec.failures.retries:
            job.failed = True
            job.wasted += worked
            self._leave(job)
        else:
            self._keep(job, worked)
            self._requeue(job)

    def _leave(self, job: SimulatedJob) -> None:
        job.ended = self._env.now
        if self._meter is not None and job.counted:
            arrival = job.arrival
            self._meter.end(self._env.now, job.ideal, arrival.deadline, arrival.priority)
        self.ended += 1
        self.counted += job.counted
        self._notify()

    def _stop(self, job: SimulatedJob) -> float:
        """Release the attempt's devices and bill it; returns the seconds that it really worked."""
        number, now = job.arrival.id, self._env.now
        self._world.finish(number)
        if job.pool in self.node_pools:
            self.node_pools[job.pool].release(number, job.nodes)
        job.running = False
        if self._usage is not None:
            self._usage.end(number, now)
        job.service += max(0.0, now - job.ready) * job.width
        dollars, joules = self._cost_model.attempt(job.pool, job.width, job.ready, now)
        job.dollars += dollars
        job.joules += joules
        if self._meter is not None and job.drawing:
            job.drawing = False
            self._meter.stop(now, self._rates(job))
        if job.started > now:
            job.started = float("nan")
        job.wasted += max(0.0, min(now, job.begun) - job.ready)
        if self.held is not None:
            self.held.append(HeldDevices(number, job.pool, job.nodes, job.memory, job.placed, now))
        return max(0.0, now - job.begun)

    def _rates(self, job: SimulatedJob) -> PowerRates:
        return self._cost_model.rates(job.pool, job.width, counted=job.counted)

    def _use(self, job: SimulatedJob, kept: float) -> None:
        """Count the first `kept` seconds of the attempt's work as useful."""
        self.useful += overlap(job.begun, job.begun + kept, self._time) * job.width

    def _keep(self, job: SimulatedJob, worked: float, *, save: bool = False) -> None:
        """Keep what the last checkpoint holds of `worked` seconds; the rest is wasted."""
        interval = self._spec.failures.checkpoint_s
        kept = worked if save else worked // interval * interval if interval else 0.0
        job.keep(kept)
        self._use(job, kept)
        job.wasted += worked - kept
