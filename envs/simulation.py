"""The simulated cluster: SimPy moves time, `scheduler.decisions` decides.

`next` runs the world until something can be decided and hands out the round; `commit` carries its
plan out. True runtimes never leave this module.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import simpy
from simpy.events import Event, Timeout

from envs.estimators import Estimator, Exact
from envs.meter import Meter
from envs.records import Outcome
from envs.workloads.base import Arrival, Run, Workload
from scheduler.decisions.cluster import Cluster
from scheduler.decisions.plan import Placement, Plan, Reservation
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import Backlog, Option, Waiting
from scheduler.decisions.round import Mode, Round, push
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class Site:
    """What is simulated, besides the workload."""

    pools: tuple[Pool, ...]
    mode: Mode = Mode.EASY
    preference: float = 0.5
    """Of jobs that name none."""
    each: bool = False
    """Decide after every single event, arrivals first, instead of once per instant."""


@dataclass(slots=True)
class _Live:
    """A job on its way through the cluster."""

    job: Arrival
    runs: dict[tuple[int, int], Run]
    """(pool, width) → the truth."""
    estimates: dict[tuple[int, int], float]
    started: float = np.nan
    ended: float = np.nan
    pool: int = -1
    width: int = 0
    runtime: float = np.nan
    dollars: float = 0.0
    joules: float = 0.0
    attempts: int = 0
    end: Timeout | None = field(default=None, repr=False)


class Simulation:
    """One workload on one site. Deterministic: everything random is drawn before it starts."""

    def __init__(
        self,
        workload: Workload,
        site: Site,
        estimator: Estimator | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.site = site
        self.meter = meter
        """Told of all that accrues, if there is one."""
        self.cluster = Cluster(site.pools)
        self.finished = 0
        """Jobs that have ended."""
        self._workload = workload
        self._estimator = estimator or Exact()
        self._backlog = Backlog()
        self._live: dict[int, _Live] = {}
        self._committed: tuple[Reservation, ...] = ()
        self._stirred = False
        self._env = simpy.Environment()
        if workload.jobs:
            self._env.process(self._arrivals())

    @property
    def now(self) -> float:
        """Simulated seconds since the start of the workload."""
        return float(self._env.now)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._backlog)

    def next(self) -> Round | None:
        """Run until something may be decided; None when every job has ended."""
        env = self._env
        while True:
            if self._stirred and (self.site.each or env.peek() > env.now):
                self._stirred = False
                if len(self._backlog):
                    return Round(
                        self._backlog.view(),
                        self.cluster,
                        self.now,
                        self.site.mode,
                        self._committed,
                    )
            if env.peek() == simpy.core.Infinity:
                return None
            env.step()

    def commit(self, plan: Plan) -> None:
        """Carry out what the round decided; the cluster holds it already."""
        self._committed = plan.reservations
        for placement in plan.placements:
            self._start(placement)

    def run(self, policy: Policy) -> Outcome:
        """Let one policy decide everything."""
        while (round_ := self.next()) is not None:
            self.commit(push(round_, policy))
        return self.outcome()

    def outcome(self) -> Outcome:
        """What has happened so far."""
        lives = [self._live.get(job.id) for job in self._workload.jobs]
        return _outcome(self._workload.jobs, lives, self.site.pools)

    def _arrivals(self) -> Generator[Event, None, None]:
        env = self._env
        for job in self._workload.jobs:
            if job.submitted_at > env.now:
                yield env.timeout(job.submitted_at - env.now)
            self._enter(job)

    def _enter(self, job: Arrival) -> None:
        runs = _feasible(job, self.site.pools)
        estimates = {place: self._estimator.estimate(job, run) for place, run in runs.items()}
        self._live[job.id] = _Live(job, runs, estimates)
        if self.meter is not None:
            self.meter.arrive(self.now, _ideal(job))
        self._backlog.add(
            Waiting(
                id=job.id,
                submitted_at=job.submitted_at,
                options=[
                    _option(self.site.pools[pool], pool, width, job.memory_bytes, estimate)
                    for (pool, width), estimate in estimates.items()
                ],
                priority=job.priority,
                deadline=np.inf if job.deadline is None else job.deadline,
                preference=self.site.preference if job.preference is None else job.preference,
            )
        )
        self._stirred = True

    def _start(self, placement: Placement) -> None:
        self._backlog.remove(placement.job)
        live = self._live[placement.job]
        live.attempts += 1
        live.pool, live.width = placement.pool, placement.width
        boot = self.site.pools[placement.pool].boot_s
        live.runtime = live.runs[placement.pool, placement.width].runtime_s
        if np.isnan(live.started):
            live.started = self.now + boot
        # Paid for once the node is up, like what `_finish` adds up.
        if self.meter is not None and boot:
            self._env.timeout(boot).callbacks.append(partial(self._draw, placement))
        else:
            self._draw(placement)
        live.end = self._env.timeout(boot + live.runtime)
        live.end.callbacks.append(partial(self._finish, placement.job))

    def _draw(self, placement: Placement, _: Event | None = None) -> None:
        if self.meter is not None:
            pool = self.site.pools[placement.pool]
            self.meter.draw(self.now, *_rates(pool, placement.width))

    def _finish(self, job: int, _: Event) -> None:
        live = self._live[job]
        pool = self.site.pools[live.pool]
        self.cluster.finish(job)
        live.ended = self.now
        device_seconds = live.runtime * live.width
        live.dollars += device_seconds / 3600 * pool.dollars_per_device_hour
        live.joules += device_seconds * pool.watts_per_device
        if self.meter is not None:
            self.meter.stop(self.now, *_rates(pool, live.width))
            self.meter.end(self.now, _ideal(live.job), live.job.deadline)
        self._estimator.ended(live.job, live.runtime)
        self.finished += 1
        self._stirred = True


def _ideal(job: Arrival) -> float:
    """Least true runtime (s)."""
    return min(run.runtime_s for run in job.runs)


def _rates(pool: Pool, width: int) -> tuple[float, float]:
    """Dollars per hour and watts of so many busy devices."""
    return width * pool.dollars_per_device_hour, width * pool.watts_per_device


def _feasible(job: Arrival, pools: Sequence[Pool]) -> dict[tuple[int, int], Run]:
    """(pool, width) → run, for every pool that the run's device names and that can hold it."""
    found: dict[tuple[int, int], Run] = {}
    for run in job.runs:
        for index, pool in enumerate(pools):
            named = run.device in ("any", pool.kind.value, pool.model)
            if named and run.width <= pool.count and pool.memory_fits(run.width, job.memory_bytes):
                found.setdefault((index, run.width), run)
    if not found:
        raise InfeasibleError(
            f"job {job.id} fits no pool", {"runs": f"one of {[pool.name for pool in pools]}"}
        )
    return found


def _option(pool: Pool, index: int, width: int, memory: int, estimate: float) -> Option:
    device_seconds = estimate * width
    return Option(
        pool=index,
        width=width,
        memory=memory,
        runtime_s=estimate,
        dollars=device_seconds / 3600 * pool.dollars_per_device_hour,
        joules=device_seconds * pool.watts_per_device,
    )


def _outcome(
    jobs: Sequence[Arrival], lives: Sequence[_Live | None], pools: Sequence[Pool]
) -> Outcome:
    def column(name: str, missing: float) -> np.ndarray:
        values = [missing if live is None else getattr(live, name) for live in lives]
        return np.array(values, dtype=np.float64)

    return Outcome(
        job=np.array([job.id for job in jobs], dtype=np.int64),
        submitted=np.array([job.submitted_at for job in jobs]),
        started=column("started", np.nan),
        ended=column("ended", np.nan),
        runtime=column("runtime", np.nan),
        ideal=np.array([min(run.runtime_s for run in job.runs) for job in jobs]),
        pool=column("pool", -1).astype(np.int64),
        width=column("width", 0).astype(np.int64),
        dollars=column("dollars", 0.0),
        joules=column("joules", 0.0),
        attempts=column("attempts", 0).astype(np.int64),
        priority=np.array([job.priority for job in jobs]),
        deadline=np.array([np.inf if job.deadline is None else job.deadline for job in jobs]),
        user=tuple(job.user for job in jobs),
        capacity=sum(pool.count for pool in pools),
    )
