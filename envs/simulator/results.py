"""The result of a simulation: one record per job, and metrics of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from envs.simulator.simulated_job import SimulatedJob
from envs.workloads.base import Arrival, Workload
from scheduler.arrays import Bools, Floats, Ints
from scheduler.domain.pools import Pool

BOUND_S = 10.0
"""Runtimes below this count as this in the bounded slowdown (Feitelson 2001)."""


@dataclass(frozen=True, slots=True)
class ClusterLoad:
    """How busy a cluster was over a time, whichever jobs kept it busy. Times in seconds."""

    start: float
    end: float
    useful: float
    """Device-seconds of work that was kept, between start and end."""
    submitted: Floats
    """(all jobs,) Submissions of all jobs, counted or not, ascending."""
    started: Floats
    """(all jobs,) Their first starts; nan: not yet."""

    @property
    def seconds(self) -> float:
        """Length of the time."""
        return max(0.0, self.end - self.start)

    def queue(self) -> tuple[Floats, Ints]:
        """Times, ascending, and jobs that wait for their first start from each of them on.

        Of the whole simulation.
        """
        begun = self.started[~np.isnan(self.started)]
        times = np.concatenate((begun, self.submitted))
        changes = np.repeat([-1, 1], [len(begun), len(self.submitted)])
        order = np.argsort(times, kind="stable")
        times = times[order]
        # All that happens at one time is one change: a job that starts at once never waits.
        last = np.append(times[1:] != times[:-1], np.ones(min(1, len(times)), dtype=np.bool_))
        return times[last], np.cumsum(changes[order])[last]

    @property
    def queue_mean(self) -> float:
        """Jobs that wait for their first start, mean over the time; nan without time."""
        left, right = self._waits()
        return float((right - left).sum()) / self.seconds if self.seconds else np.nan

    @property
    def queue_max(self) -> int:
        """The most jobs that wait for their first start at one moment of the time."""
        left, right = self._waits()
        waits = right > left
        return int(ClusterLoad(0.0, 0.0, 0.0, left[waits], right[waits]).queue()[1].max(initial=0))

    def _waits(self) -> tuple[Floats, Floats]:
        """When each job's wait begins and ends, as far as it lies in the time."""
        begun = np.where(np.isnan(self.started), np.inf, self.started)
        return np.clip(self.submitted, self.start, self.end), np.clip(begun, self.start, self.end)


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Columns of shape (jobs,), in order of arrival. Times in seconds from the start.

    The jobs are the counted ones. Figures of the cluster hold for the time that counts, and include
    jobs that do not (`envs.workloads.base.Workload.counted_time`).
    """

    job: Ints
    submitted: Floats
    started: Floats
    """First start; nan: never."""
    ended: Floats
    """nan: never."""
    runtime: Floats
    """Time a whole run takes on its last placement."""
    ideal: Floats
    """Least true runtime over the job's runs."""
    pool: Ints
    width: Ints
    dollars: Floats
    joules: Floats
    attempts: Ints
    failed: Bools
    """Whether its last allowed attempt has failed."""
    wasted: Floats
    """Seconds of its attempts that were restarts or repeated work."""
    priority: Floats
    deadline: Floats
    """inf: none."""
    preference: Floats
    """w: 0 cheapest … 1 fastest; nan: the job names none."""
    user: tuple[str, ...]
    capacity: int
    """Devices of all pools."""
    load: ClusterLoad
    """How busy the cluster was in the time that counts."""
    idle_dollars: float = 0.0
    """Billed while no job ran, in the time that counts: amortisation, boots, idle elastic nodes."""
    idle_joules: float = 0.0
    """Drawn by devices that were up while no job used them, in the time that counts."""

    def of(self, rows: Bools) -> SimulationResult:
        """The records of the jobs where `rows`, shape (jobs,), is True, without idle costs."""
        columns: dict[str, Any] = {
            name: value[rows]
            for name in self.__slots__
            if isinstance(value := getattr(self, name), np.ndarray)
        }
        user = tuple(compress(self.user, rows))
        return replace(self, **columns, user=user, idle_dollars=0.0, idle_joules=0.0)

    @property
    def wait(self) -> Floats:
        """Seconds from submission to the first start."""
        return self.started - self.submitted

    @property
    def jct(self) -> Floats:
        """Job completion time: submission to end (s)."""
        return self.ended - self.submitted

    @property
    def bounded_slowdown(self) -> Floats:
        """max(1, (wait + run) / max(run, 10 s)), with the job's whole time in the system."""
        slow: Floats = self.jct / np.maximum(self.runtime, BOUND_S)
        return np.maximum(slow, 1.0)

    @property
    def slowdown(self) -> Floats:
        """Time in the system ÷ least possible runtime on this cluster, bounded alike."""
        slow: Floats = self.jct / np.maximum(self.ideal, BOUND_S)
        return np.maximum(slow, 1.0)

    @property
    def utilisation(self) -> float:
        """Device-seconds of work that was kept ÷ all device-seconds of the time that counts.

        Boots, restarts, repeated work and last attempts that failed count as idle; nan without
        time.
        """
        whole = self.capacity * self.load.seconds
        return self.load.useful / whole if whole else np.nan

    @property
    def fairness(self) -> float:
        """Jain's index over the users' mean slowdowns."""
        users, index = np.unique(np.asarray(self.user), return_inverse=True)
        sums = np.bincount(index, self.slowdown, len(users))
        return jain(sums / np.bincount(index, minlength=len(users)))

    @property
    def drained(self) -> float:
        """Share of the jobs that ended after the last submission of any job; nan without jobs.

        The cluster empties then: these jobs meet less load than the others.
        """
        late = self.ended > self.load.submitted.max(initial=-np.inf)
        return float(late.mean()) if len(late) else np.nan

    @property
    def makespan(self) -> float:
        """Seconds from the first submission to the last end."""
        return float(np.nanmax(self.ended) - self.submitted.min()) if len(self.job) else 0.0


def jain(shares: ArrayLike) -> float:
    """Fairness index (Σx)² / (n·Σx²) of shares ≥ 0, shape (n,): 1 equal … 1/n all for one.

    Jain, Chiu, Hawe, "A Quantitative Measure of Fairness and Discrimination for Resource Allocation
    in Shared Computer Systems", DEC-TR-301, 1984. nan for no shares.
    """
    x = np.asarray(shares, dtype=np.float64)
    if not len(x):
        return np.nan
    largest = float(x.max())
    if largest <= 0:
        return 1.0
    x = x / largest
    return float(x.sum() ** 2 / (len(x) * (x @ x)))


def load_until(
    workload: Workload, now: float, submitted: ArrayLike, started: ArrayLike, useful: float
) -> ClusterLoad:
    """The load in the time that counts, of a simulation that has come to `now`.

    `submitted`, `started`: of each job of the workload; with `useful`: see `ClusterLoad`. Where all
    jobs count, the time begins with the first submission.
    """
    start, end = workload.counted_time
    if workload.counted is None and workload.jobs:
        start = workload.jobs[0].submitted_at
    columns = (np.array(each, dtype=np.float64) for each in (submitted, started))
    return ClusterLoad(start, min(end, now), useful, *columns)


def outcome(
    jobs: Sequence[Arrival],
    states: Sequence[SimulatedJob | None],
    pools: Sequence[Pool],
    load: ClusterLoad,
    idle_dollars: float,
    idle_joules: float,
) -> SimulationResult:
    """The record of the counted jobs; the state of a job that has not arrived is None."""

    def column(name: str, missing: float) -> Floats:
        values = [missing if state is None else getattr(state, name) for state in states]
        return np.array(values, dtype=np.float64)

    return SimulationResult(
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
        failed=column("failed", 0.0).astype(np.bool_),
        wasted=column("wasted", 0.0),
        priority=np.array([job.priority for job in jobs]),
        deadline=np.array([np.inf if job.deadline is None else job.deadline for job in jobs]),
        preference=np.array([np.nan if job.preference is None else job.preference for job in jobs]),
        user=tuple(job.user for job in jobs),
        capacity=sum(pool.count for pool in pools),
        load=load,
        idle_dollars=idle_dollars,
        idle_joules=idle_joules,
    )
