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

from envs.billing import Bill
from envs.estimators import Estimator, Exact
from envs.invariants import Invariants
from envs.live import Held, Live, Place, Progress
from envs.luck import Luck
from envs.meter import Meter
from envs.nodes import Fleet
from envs.records import Outcome, outcome
from envs.site import Site
from envs.workloads.base import Arrival, Run, Workload
from envs.workloads.streams import Seed
from scheduler.decisions.cluster import Cluster
from scheduler.decisions.line import Line, walk
from scheduler.decisions.plan import Placement, Plan, Reservation
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import Backlog, Option, Waiting
from scheduler.decisions.round import Round, push
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.pools import Pool

__all__ = ["Queued", "Simulation", "Site"]

OVERRUN_S = 1e-6
"""An attempt that ends within this of its estimate does not outlive it: sums are rounded."""


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
        site: Site,
        estimator: Estimator | None = None,
        meter: Meter | None = None,
        *,
        origin: float = 0.0,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        check: bool = False,
        record: bool = False,
    ) -> None:
        """Nothing has happened yet.

        `origin`: the time that formulas count submissions from (s, below 0 in a window of a longer
        history). `seed`: of failures and revocations. `restart`: seconds that a further attempt of
        a job loses, if not the site's. `check`: hold every instant against `Invariants`.
        `record`: keep `held`.
        """
        self.site = site
        self.meter = meter
        """Told of all that accrues, if there is one."""
        self.cluster = Cluster(site.pools)
        self.finished = 0
        """Jobs that have ended, well or not."""
        self.held: list[Held] | None = [] if record else None
        """Every attempt that has ended, in order of its end."""
        self._workload = workload
        self._estimator = estimator or Exact()
        self._origin = origin
        self._restart = restart
        self._queue: Queued = Backlog(origin)
        self._live: dict[int, Live] = {}
        self._committed: tuple[Reservation, ...] = ()
        self._stirred = False
        self._env = simpy.Environment()
        self._luck = Luck(seed)
        self._invariants = Invariants(site.pools) if check else None
        self._places: dict[tuple[str, int, int], tuple[int, ...]] = {}
        self._bill = Bill(site, meter)
        self._fleets = {
            index: Fleet(
                self._env,
                self.cluster,
                index,
                site.supply(index),
                site.failures,
                self._luck,
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

    def next(self) -> Round | None:
        """Run until something may be decided; None when every job has ended, or none ever will.

        Raises `InfeasibleError` when a job arrives that fits no pool.
        """
        backlog = self._queue
        assert isinstance(backlog, Backlog), "rounds are made of a backlog"
        if not self.advance():
            return None
        return Round(backlog.view(), self.cluster, self.now, self.site.mode, self._committed)

    def commit(self, plan: Plan) -> None:
        """Carry out what the round decided; the cluster holds it already."""
        self._committed = plan.reservations
        for placement in plan.placements:
            self._start(placement)

    def run(self, policy: Policy) -> Outcome:
        """Let one policy decide everything."""
        rank = getattr(policy, "rank", None)
        if rank is not None and not self._live and self._single():
            self._run_in_line(Line(rank, self._origin), policy.name)
            return self.outcome()
        while (round_ := self.next()) is not None:
            self.commit(push(round_, policy))
        return self.outcome()

    def outcome(self) -> Outcome:
        """What has happened so far."""
        billed, used = self._bill.device_seconds(
            self.now, {index: fleet.device_seconds for index, fleet in self._fleets.items()}
        )
        if self._invariants is not None:
            self._invariants.end(billed, used)
        lives = [self._live.get(job.id) for job in self._workload.jobs]
        idle_dollars = self._bill.idle_dollars(billed, used)
        return outcome(self._workload.jobs, lives, self.site.pools, idle_dollars)

    def advance(self) -> bool:
        """Run until something may be decided; for drivers that keep the queue themselves."""
        env, each, total = self._env, self.site.each, len(self._workload.jobs)
        while self.finished < total:
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
        worked = self._stop(live)
        self._keep(live, worked, save=save)
        self._enqueue(live)

    def progress(self, job: int) -> Progress:
        """How far a job has come. Raises `KeyError` before it arrives."""
        live, now = self._live[job], self.now
        service, working = live.service, 0.0
        if live.running:
            service += max(0.0, now - live.ready) * live.width
            working = max(0.0, now - live.begun)
        places = (live.place,) if live.running else live.runs
        left = min(live.remaining(place, self._estimator, working) for place in places)
        return Progress(job, live.job.submitted_at, live.started, live.running, service, left)

    def holding(self) -> list[Held]:
        """Attempts that hold devices, as if they ended now."""
        return [
            Held(live.job.id, live.pool, live.nodes, live.memory, live.placed, self.now)
            for live in self._live.values()
            if live.running
        ]

    def user(self, job: int) -> str:
        """Who submitted a job. Raises `KeyError` before it arrives."""
        return self._live[job].job.user

    def _run_in_line(self, line: Line, policy: str) -> None:
        """The same plans, many times faster: the order never changes, so it is kept."""
        self._queue = line
        cluster, mode = self.cluster, self.site.mode
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
        runs = self._feasible(job)
        estimates = {place: self._estimator.estimate(job, run) for place, run in runs.items()}
        live = self._live[job.id] = Live(job, runs, estimates)
        if self.meter is not None:
            self.meter.arrive(self.now, _ideal(job))
        self._enqueue(live)

    def _enqueue(self, live: Live) -> None:
        job = live.job
        seconds = live.estimates
        if live.attempts:
            restart = self._restart_s(live)
            seconds = {
                place: restart + live.remaining(place, self._estimator) for place in live.runs
            }
        self._queue.add(
            Waiting(
                job.id,
                job.submitted_at,
                [
                    _option(self.site.pools[pool], pool, width, job.memory_bytes, estimate)
                    for (pool, width), estimate in seconds.items()
                ],
                job.priority,
                simpy.core.Infinity if job.deadline is None else job.deadline,
                self.site.preference if job.preference is None else job.preference,
            )
        )
        self._stirred = True

    def _start(self, placement: Placement) -> None:
        job, pool = placement.job, placement.pool
        self._queue.remove(job)
        live, now = self._live[job], self._env.now
        live.attempts += 1
        live.running = True
        live.pool, live.width = pool, placement.width
        live.nodes, live.memory = placement.nodes, placement.memory
        live.runtime = live.runs[live.place].runtime_s
        fleet = self._fleets.get(pool)
        boot = self.site.pools[pool].boot_s
        if fleet is not None:
            boot = fleet.occupy(job, placement.nodes) - now
            self.cluster.extend(job, now + boot + placement.runtime_s)
        restart = self._restart_s(live) if live.attempts > 1 else 0.0
        live.placed, live.ready, live.begun = now, now + boot, now + boot + restart
        if isnan(live.started):
            live.started = live.ready
        if self.meter is not None:
            if boot:
                self._env.timeout(boot).callbacks.append(partial(self._draw, live, live.attempts))
            else:
                self._draw(live, live.attempts)
        self._work(live, boot + restart, boot + placement.runtime_s)

    def _work(self, live: Live, lead: float, believed: float) -> None:
        """Let the attempt run; `lead` seconds pass before its work, it should take `believed`."""
        attempt, risk = live.attempts, self.site.failures.per_attempt
        left = live.runtime if not live.done else (1.0 - live.done) * live.runtime
        fails = self._luck.failure(live.job.id, attempt, risk) if risk else None
        if fails is None:
            lasts, ends = lead + left, self._finish
        else:
            lasts, ends = lead + fails * left, self._fail
        self._env.timeout(lasts).callbacks.append(partial(ends, live, attempt))
        if lasts > believed + OVERRUN_S:
            self._env.timeout(believed).callbacks.append(partial(self._outlive, live, attempt))

    def _draw(self, live: Live, attempt: int, _: Event | None = None) -> None:
        """Paid for once the node is up."""
        if self.meter is not None and live.running and live.attempts == attempt:
            live.drawing = True
            self.meter.draw(self.now, *self._bill.rates(live.pool, live.width))

    def _outlive(self, live: Live, attempt: int, _: Event) -> None:
        """It is not over when it should be: believe something else."""
        if not live.running or live.attempts != attempt:
            return
        working = max(0.0, self.now - live.begun)
        left = live.remaining(live.place, self._estimator, working)
        self.cluster.extend(live.job.id, self.now + left)
        self._env.timeout(left).callbacks.append(partial(self._outlive, live, attempt))
        self._stirred = True

    def _finish(self, live: Live, attempt: int, _: Event) -> None:
        if not live.running or live.attempts != attempt:
            return
        self._stop(live)
        self._estimator.ended(live.job, live.runtime)
        self._leave(live)

    def _fail(self, live: Live, attempt: int, _: Event) -> None:
        if not live.running or live.attempts != attempt:
            return
        worked = self._stop(live)
        live.failures += 1
        if live.failures > self.site.failures.retries:
            live.failed = True
            live.wasted += worked
            self._leave(live)
        else:
            self._keep(live, worked)
            self._enqueue(live)

    def _lose(self, job: int) -> None:
        """Its node is gone."""
        live = self._live[job]
        self._keep(live, self._stop(live))
        self._enqueue(live)

    def _leave(self, live: Live) -> None:
        live.ended = self._env.now
        if self.meter is not None:
            self.meter.end(self.now, _ideal(live.job), live.job.deadline)
        self.finished += 1
        self._stirred = True

    def _stop(self, live: Live) -> float:
        """The attempt gives its devices back; the seconds that it really worked."""
        job, now = live.job.id, self._env.now
        self.cluster.finish(job)
        if live.pool in self._fleets:
            self._fleets[live.pool].release(job, live.nodes)
        live.running = False
        device_seconds = max(0.0, now - live.ready) * live.width
        live.service += device_seconds
        dollars, joules = self._bill.attempt(live.pool, device_seconds)
        live.dollars += dollars
        live.joules += joules
        if self.meter is not None and live.drawing:
            live.drawing = False
            self.meter.stop(now, *self._bill.rates(live.pool, live.width))
        if live.started > now:
            live.started = float("nan")
        live.wasted += max(0.0, min(now, live.begun) - live.ready)
        if self.held is not None:
            self.held.append(Held(job, live.pool, live.nodes, live.memory, live.placed, now))
        return max(0.0, now - live.begun)

    def _keep(self, live: Live, worked: float, *, save: bool = False) -> None:
        """Of so many seconds of work, what the last checkpoint holds."""
        interval = self.site.failures.checkpoint_s
        kept = worked if save else worked // interval * interval if interval else 0.0
        live.keep(kept)
        live.wasted += worked - kept

    def _restart_s(self, live: Live) -> float:
        return self.site.failures.restart_s if self._restart is None else self._restart(live.job)

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
        return all(len(self._feasible(job)) == 1 for job in self._workload.jobs)

    def _feasible(self, job: Arrival) -> dict[Place, Run]:
        """(pool, width) → run, for every pool that the run's device names and that can hold it."""
        found: dict[Place, Run] = {}
        for run in job.runs:
            key = run.device, run.width, job.memory_bytes
            pools = self._places.get(key)
            if pools is None:
                pools = self._places[key] = _holding(self.site.pools, *key)
            for pool in pools:
                found.setdefault((pool, run.width), run)
        if not found:
            raise InfeasibleError(
                f"job {job.id} fits no pool",
                {"runs": f"one of {[pool.name for pool in self.site.pools]}"},
            )
        return found


def _holding(pools: Sequence[Pool], device: str, width: int, memory: int) -> tuple[int, ...]:
    return tuple(
        index
        for index, pool in enumerate(pools)
        if device in ("any", pool.kind.value, pool.model)
        and width <= pool.count
        and pool.memory_fits(width, memory)
    )


def _ideal(job: Arrival) -> float:
    """Least true runtime (s)."""
    return min(run.runtime_s for run in job.runs)


def _option(pool: Pool, index: int, width: int, memory: int, estimate: float) -> Option:
    device_seconds = estimate * width
    return Option(
        index,
        width,
        memory,
        estimate,
        device_seconds / 3600 * pool.dollars_per_device_hour,
        device_seconds * pool.watts_per_device,
    )
