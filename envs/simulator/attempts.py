"""Attempts: from the devices they take to what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isnan

import simpy
from simpy.events import Event

from envs.simulator.billing import CostModel
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.job_state import HeldDevices, JobState
from envs.simulator.meter import Meter
from envs.simulator.nodes import NodePool
from envs.simulator.random_events import RandomEvents
from envs.workloads.base import Arrival
from envs.workloads.runtime_estimates import RuntimeEstimator
from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.plan import Placement

OVERRUN_S = 1e-6
"""An attempt that ends within this of its estimate does not outlive it: sums are rounded."""


class Attempts:
    """All attempts of one simulation.

    `again` is told of jobs that have to wait once more, `stir` that something may be decided.
    """

    def __init__(
        self,
        env: simpy.Environment,
        site: ClusterSpec,
        cluster: Cluster,
        estimator: RuntimeEstimator,
        luck: RandomEvents,
        bill: CostModel,
        meter: Meter | None,
        again: Callable[[JobState], None],
        stir: Callable[[], None],
        restart: Callable[[Arrival], float] | None,
        record: bool,
    ) -> None:
        self.fleets: dict[int, NodePool] = {}
        """Of the pools whose nodes come and go."""
        self.ended = 0
        """Jobs that have ended, well or not."""
        self.held: list[HeldDevices] | None = [] if record else None
        """Every attempt that has ended, in order of its end."""
        self._env, self._site, self._cluster = env, site, cluster
        self._estimator, self._luck, self._bill, self._meter = estimator, luck, bill, meter
        self._again, self._stir, self._restart = again, stir, restart

    def start(self, live: JobState, placement: Placement) -> None:
        """Its devices are held already."""
        job, pool, now = placement.job, placement.pool, self._env.now
        live.attempts += 1
        live.running = True
        live.pool, live.width = pool, placement.width
        live.nodes, live.memory = placement.nodes, placement.memory
        live.runtime = live.runs[live.place].runtime_s
        fleet = self.fleets.get(pool)
        boot = self._site.pools[pool].boot_s
        if fleet is not None:
            boot = fleet.occupy(job, placement.nodes) - now
            self._cluster.extend(job, now + boot + placement.runtime_s)
        restart = self.restart_s(live) if live.attempts > 1 else 0.0
        live.placed, live.ready, live.begun = now, now + boot, now + boot + restart
        if isnan(live.started):
            live.started = live.ready
        if self._meter is not None:
            if boot:
                self._env.timeout(boot).callbacks.append(partial(self._draw, live, live.attempts))
            else:
                self._draw(live, live.attempts)
        self._work(live, boot + restart, boot + placement.runtime_s)

    def interrupt(self, live: JobState, *, save: bool = False) -> None:
        """End the attempt before its time; `save`: it writes a checkpoint first."""
        self._keep(live, self._stop(live), save=save)
        self._again(live)

    def restart_s(self, live: JobState) -> float:
        """Seconds that a further attempt loses before it works."""
        if self._restart is None:
            return self._site.failures.restart_s
        return self._restart(live.job)

    def _work(self, live: JobState, lead: float, believed: float) -> None:
        """Let the attempt run; `lead` seconds pass before its work, it should take `believed`."""
        attempt, risk = live.attempts, self._site.failures.per_attempt
        left = live.runtime if not live.done else (1.0 - live.done) * live.runtime
        fails = self._luck.failure(live.job.id, attempt, risk) if risk else None
        if fails is None:
            lasts, ends = lead + left, self._finish
        else:
            lasts, ends = lead + fails * left, self._fail
        self._env.timeout(lasts).callbacks.append(partial(ends, live, attempt))
        if lasts > believed + OVERRUN_S:
            self._env.timeout(believed).callbacks.append(partial(self._outlive, live, attempt))

    def _draw(self, live: JobState, attempt: int, _: Event | None = None) -> None:
        """Paid for once the node is up."""
        if self._meter is not None and live.running and live.attempts == attempt:
            live.drawing = True
            self._meter.draw(self._env.now, *self._bill.rates(live.pool, live.width))

    def _outlive(self, live: JobState, attempt: int, _: Event) -> None:
        """It is not over when it should be: believe something else."""
        if not live.running or live.attempts != attempt:
            return
        working = max(0.0, self._env.now - live.begun)
        left = live.remaining(live.place, self._estimator, working)
        self._cluster.extend(live.job.id, self._env.now + left)
        self._env.timeout(left).callbacks.append(partial(self._outlive, live, attempt))
        self._stir()

    def _finish(self, live: JobState, attempt: int, _: Event) -> None:
        if not live.running or live.attempts != attempt:
            return
        self._stop(live)
        self._estimator.ended(live.job, live.runtime)
        self._leave(live)

    def _fail(self, live: JobState, attempt: int, _: Event) -> None:
        if not live.running or live.attempts != attempt:
            return
        worked = self._stop(live)
        live.failures += 1
        if live.failures > self._site.failures.retries:
            live.failed = True
            live.wasted += worked
            self._leave(live)
        else:
            self._keep(live, worked)
            self._again(live)

    def _leave(self, live: JobState) -> None:
        live.ended = self._env.now
        if self._meter is not None:
            job = live.job
            self._meter.end(self._env.now, live.ideal, job.deadline, job.priority)
        self.ended += 1
        self._stir()

    def _stop(self, live: JobState) -> float:
        """The attempt gives its devices back; the seconds that it really worked."""
        job, now = live.job.id, self._env.now
        self._cluster.finish(job)
        if live.pool in self.fleets:
            self.fleets[live.pool].release(job, live.nodes)
        live.running = False
        device_seconds = max(0.0, now - live.ready) * live.width
        live.service += device_seconds
        dollars, joules = self._bill.attempt(live.pool, device_seconds)
        live.dollars += dollars
        live.joules += joules
        if self._meter is not None and live.drawing:
            live.drawing = False
            self._meter.stop(now, *self._bill.rates(live.pool, live.width))
        if live.started > now:
            live.started = float("nan")
        live.wasted += max(0.0, min(now, live.begun) - live.ready)
        if self.held is not None:
            self.held.append(HeldDevices(job, live.pool, live.nodes, live.memory, live.placed, now))
        return max(0.0, now - live.begun)

    def _keep(self, live: JobState, worked: float, *, save: bool = False) -> None:
        """Of so many seconds of work, what the last checkpoint holds."""
        interval = self._site.failures.checkpoint_s
        kept = worked if save else worked // interval * interval if interval else 0.0
        live.keep(kept)
        live.wasted += worked - kept
