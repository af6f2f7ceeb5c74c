"""Preemptive policies, and the driver that runs a simulation with them.

At every event the policy sorts all jobs, running and waiting. The jobs that fit run, from the front
of that order; all others are preempted. The service does not preempt: these policies are here to
compare with.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import merge
from typing import NamedTuple

from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import SimulatedProgress
from envs.simulator.simulation import Simulation
from scheduler.decisions.state.plan import Action, Placement, Plan
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import (
    EstimatedPlacement,
    Nodes,
    RunningAttempt,
    Waiting,
    World,
)
from scheduler.domain.errors import InputError

NEVER = math.inf
GRAIN_S = 1e-6
"""Attained service this close below a threshold counts as reaching it: sums are rounded."""


class Rank(NamedTuple):
    """The rank of a job under a policy."""

    key: float
    """The least key goes first. Among equal keys running jobs go before waiting ones, then the
    oldest."""
    lasts_s: float = NEVER
    """Seconds of running after which the key changes although nothing happens."""


@dataclass(frozen=True, slots=True)
class Preemptive:
    """A preemptive policy. The key of a waiting job must not change while it waits."""

    name: str
    rank: Callable[[SimulatedProgress, int], Rank]
    """(a job's progress, width of its shortest run) → its rank, wherever it runs."""
    summary: str


def las(thresholds: Sequence[float] = (3200.0,)) -> Preemptive:
    """Tiresias, discretised 2D-LAS, with ascending thresholds in device-seconds.

    Gu et al., "Tiresias: a GPU cluster manager for distributed deep learning", NSDI 2019: jobs
    sink through queues as their attained service (devices × time) passes thresholds; within a
    queue first come, first served. Its own evaluation uses two queues; a job is never promoted.
    Raises `InputError` for thresholds that do not ascend.
    """
    limits = tuple(thresholds)
    if sorted(set(limits)) != list(limits) or any(limit <= 0 for limit in limits):
        raise InputError(
            f"thresholds {limits} do not ascend from 0", {"thresholds": "device-seconds > 0"}
        )
    return Preemptive("tiresias", partial(_level, limits), "least attained service, in queues")


def _level(limits: tuple[float, ...], job: SimulatedProgress, width: int) -> Rank:
    service = job.service_s + GRAIN_S
    level = sum(service >= limit for limit in limits)
    left = (limits[level] - job.service_s) / width if level < len(limits) else NEVER
    return Rank(float(level), left)


SRTF = Preemptive(
    "srtf", lambda job, _: Rank(job.remaining_s), "shortest remaining time first (Schrage 1968)"
)
SRSF = Preemptive(
    "srsf",
    lambda job, width: Rank(job.remaining_s * width),
    "shortest remaining service (devices × time) first (Gu et al. 2019)",
)
LAS = las()

PREEMPTIVE: Mapping[str, Preemptive] = {policy.name: policy for policy in (SRTF, SRSF, LAS)}


def run(
    simulation: Simulation, policy: Preemptive, *, save: bool = True, disturb: bool = False
) -> SimulationResult:
    """Run a simulation to its end with a preemptive policy.

    `save`: a preempted job writes a checkpoint first. `disturb`: every running job is
    restarted at every event, as in simulators that derive from Tiresias's. A job with several
    placements takes the shortest one that is free.
    """
    driver = _Driver(simulation, policy, save, disturb)
    while simulation.next() is not None:
        driver.decide()
    return simulation.outcome()


class _PreemptiveEntry(NamedTuple):
    key: float
    waits: bool
    submitted: float
    job: int


class _Seat(NamedTuple):
    job: int
    option: EstimatedPlacement | None
    """None: the attempt runs on."""
    pool: int
    nodes: Nodes


class _Driver:
    """Keeps the waiting jobs in order and decides at events."""

    def __init__(self, simulation: Simulation, policy: Preemptive, save: bool, disturb: bool):
        self._simulation, self._policy = simulation, policy
        self._save, self._disturb = save, disturb
        self._order: list[_PreemptiveEntry] = []
        self._waiting: dict[int, tuple[_PreemptiveEntry, Waiting]] = {}
        self._widths: dict[int, int] = {}
        self._wakes = NEVER
        self._disturbed = -NEVER

    def _add(self, job: Waiting) -> None:
        options = sorted(job.options, key=lambda option: (option.runtime_s, option.width))
        progress = self._simulation.progress(job.id)
        rank = self._policy.rank(progress, self._widths.setdefault(job.id, options[0].width))
        entry = _PreemptiveEntry(rank.key, True, job.submitted_at, job.id)
        insort(self._order, entry)
        self._waiting[job.id] = entry, Waiting(job.id, job.submitted_at, options)

    def _remove(self, job: int) -> None:
        entry, _ = self._waiting.pop(job)
        del self._order[bisect_left(self._order, entry)]

    def decide(self) -> None:
        """Preempt and start jobs, so that those run that fit from the front of the order."""
        self._refresh()
        running = {each.job: each for each in self._simulation.world.running() if each.job > 0}
        seats = self._seated(running)
        stay = {seat.job for seat in seats if seat.option is None}
        now = self._simulation.now
        if self._disturb and now > self._disturbed:
            # Once per instant: each preempted job asks for another decision.
            self._disturbed = now
            stay = set()
        for job in running.keys() - stay:
            self._simulation.preempt(job, save=self._save)
        self._refresh()
        self._start([seat for seat in seats if seat.job not in stay])
        self._wake()

    def _refresh(self) -> None:
        """Learn of the jobs that wait now."""
        jobs = {job.id: job for job in waiting_jobs(self._simulation.world)}
        for number in self._waiting.keys() - jobs.keys():
            self._remove(number)
        for number in jobs.keys() - self._waiting.keys():
            self._add(jobs[number])

    def _seated(self, running: Mapping[int, RunningAttempt]) -> list[_Seat]:
        chosen = list(self._chosen(running))
        # Running jobs keep their devices if the others fit beside them; else all move up.
        free = self._emptied(running)
        seats = [_Seat(job, None, *_where(running[job])) for job, *_ in chosen if job in running]
        for seat in seats:
            _hold(free, seat.job, seat.pool, seat.nodes, running[seat.job].memory)
        for job, *_ in chosen:
            if job not in running:
                found = self._seat(job, free)
                if found is None:
                    return chosen
                seats.append(found)
        return seats

    def _chosen(self, running: Mapping[int, RunningAttempt]) -> Iterator[_Seat]:
        """The jobs that fit, from the front of the order, as if no job had devices yet."""
        free = self._emptied(running)
        for entry in merge(self._ranked(running), self._order):
            if not any(free.free(pool) for pool in range(len(free.pools))):
                return
            seat = (
                self._seat(entry.job, free)
                if entry.waits
                else self._reseat(running[entry.job], free)
            )
            if seat is not None:
                yield seat

    def _ranked(self, running: Mapping[int, RunningAttempt]) -> list[_PreemptiveEntry]:
        entries = []
        for job in running:
            progress = self._simulation.progress(job)
            rank = self._policy.rank(progress, self._widths[job])
            entries.append(_PreemptiveEntry(rank.key, False, progress.submitted_at, job))
        return sorted(entries)

    def _emptied(self, running: Mapping[int, RunningAttempt]) -> World:
        free = self._simulation.world.copy()
        for job in running:
            free.finish(job)
        return free

    def _seat(self, job: int, free: World) -> _Seat | None:
        for option in self._waiting[job][1].options:
            nodes = free.fit(option.pool, option.width, option.memory)
            if nodes is not None:
                _hold(free, job, option.pool, nodes, option.memory)
                return _Seat(job, option, option.pool, nodes)
        return None

    def _reseat(self, attempt: RunningAttempt, free: World) -> _Seat | None:
        nodes = free.fit(attempt.pool, attempt.width, attempt.memory)
        if nodes is None:
            return None
        try:
            _hold(free, attempt.job, attempt.pool, attempt.nodes, attempt.memory)
        except ValueError:
            _hold(free, attempt.job, attempt.pool, nodes, attempt.memory)
            moved = EstimatedPlacement(attempt.pool, attempt.width, attempt.memory, 0.0, 0.0, 0.0)
            return _Seat(attempt.job, moved, attempt.pool, nodes)
        return _Seat(attempt.job, None, attempt.pool, attempt.nodes)

    def _start(self, seats: Sequence[_Seat]) -> None:
        simulation, placements = self._simulation, []
        for seat in seats:
            width = sum(count for _, count in seat.nodes)
            option = next(
                each
                for each in self._waiting[seat.job][1].options
                if (each.pool, each.width) == (seat.pool, width)
            )
            boot = simulation.world.boot_s(seat.pool, seat.nodes)
            end = simulation.now + boot + option.runtime_s
            simulation.world.start(
                RunningAttempt(end, seat.job, seat.pool, seat.nodes, option.memory)
            )
            placements.append(
                Placement(
                    seat.job,
                    seat.pool,
                    width,
                    seat.nodes,
                    option.memory,
                    option.runtime_s,
                    option.dollars,
                    option.joules,
                    Action.START,
                )
            )
        simulation.commit(Plan(simulation.now, self._policy.name, tuple(placements)))
        self._refresh()

    def _wake(self) -> None:
        """Decide again when a running job's key changes."""
        simulation, now = self._simulation, self._simulation.now
        if self._wakes <= now:
            self._wakes = NEVER
        for attempt in simulation.world.running():
            if attempt.job > 0:
                progress = simulation.progress(attempt.job)
                lasts = self._policy.rank(progress, attempt.width).lasts_s
                if lasts < NEVER and now + lasts < self._wakes - GRAIN_S:
                    self._wakes = now + lasts
                    simulation.wake(max(lasts, GRAIN_S))


def _where(attempt: RunningAttempt) -> tuple[int, Nodes]:
    return attempt.pool, attempt.nodes


def _hold(free: World, job: int, pool: int, nodes: Nodes, memory: int) -> None:
    """Take nodes in a copy of the world. Raises `ValueError` if they are not free."""
    free.start(RunningAttempt(NEVER, job, pool, nodes, memory))
