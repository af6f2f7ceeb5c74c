"""Preemption under policies that do not preempt: for starving and urgent jobs only.

The policy has made its choices. A job that still waits may then take the devices of running jobs if
its mode allows it (`PreemptionMode`) and the gain exceeds the loss (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple

from scheduler.decisions.preemption.ranking import shortest_first
from scheduler.decisions.preemption.rules import (
    gained_s,
    lost_s,
    may_displace,
    preemptions,
    stoppable,
    worth,
)
from scheduler.decisions.preemption.trial import end_of, fit, hold, placement, soonest_end
from scheduler.decisions.state.plan import Plan, Reservation
from scheduler.decisions.state.preemption import (
    PreemptionMode,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import (
    EstimatedPlacement,
    Nodes,
    RunningAttempt,
    Waiting,
    World,
)

TRIES = 64
"""Waiting jobs per round for which victims are looked for, the most urgent first."""


class _Displacement(NamedTuple):
    """How a job could start now."""

    option: EstimatedPlacement
    nodes: Nodes
    victims: Sequence[RunningJob]
    gained_s: float
    reason: PreemptionReason


def with_urgent(
    plan: Plan,
    world: World,
    running: Iterable[RunningJob],
    rules: PreemptionRules,
    starvation_s: float,
) -> Plan:
    """The plan, with preemptions for urgent jobs that it leaves waiting.

    `world` holds the plan's placements; it is not changed. `running`: what ran before the plan.
    """
    scene = _Scene(plan.now, world.copy(), list(running), rules, starvation_s)
    placed = {each.job for each in plan.placements}
    waiting = (job for job in waiting_jobs(world) if job.id not in placed)
    urgent = sorted((job for job in waiting if scene.reasons(job)), key=scene.turn)
    stops, starts, claims = [], [], []
    for job in urgent[:TRIES]:
        way = scene.way(job)
        if way is None:
            continue
        scene.apply(job, way)
        stops += preemptions(job, way.victims, way.reason, way.gained_s, plan.now)
        starts.append(placement(job.id, way.option, way.nodes))
        pool, width, memory, *_ = way.option
        claims.append(Reservation(job.id, pool, width, memory, plan.now))
    return replace(
        plan,
        preemptions=(*plan.preemptions, *stops),
        deferred=(*plan.deferred, *starts),
        claims=(*plan.claims, *claims),
    )


@dataclass(slots=True)
class _Scene:
    """The cluster after the choices so far, and who may be stopped in it."""

    now: float
    world: World
    running: list[RunningJob]
    rules: PreemptionRules
    starvation_s: float

    def __post_init__(self) -> None:
        allowed = (self.now, self.rules, self.starvation_s)
        self.running = [each for each in self.running if stoppable(each, *allowed)]
        # The least urgent goes first; of equals, who loses least.
        self.running.sort(key=lambda each: (each.job.priority, lost_s(each, self.now), each.job.id))

    def turn(self, job: Waiting) -> tuple[bool, float, float, int]:
        """Sorts jobs: starving ones first, then by priority and age."""
        return not self._starves(job), -job.priority, job.submitted_at, job.id

    def reasons(self, job: Waiting) -> list[PreemptionReason]:
        """For what the job may ask, before anything is tried."""
        found = []
        if self._starves(job):
            found.append(PreemptionReason.STARVATION)
        if isfinite(job.deadline):
            found.append(PreemptionReason.DEADLINE)
        least = self.running[0].job.priority if self.running else job.priority
        if self.rules.mode is PreemptionMode.PRIORITY and job.priority > least:
            found.append(PreemptionReason.PRIORITY)
        return found if self.running else []

    def way(self, job: Waiting) -> _Displacement | None:
        """The way in which the job ends first among those that the rules allow."""
        otherwise = soonest_end(self.world, job, self.now)
        for reason in self.reasons(job):
            late = reason is PreemptionReason.DEADLINE
            if late and otherwise <= job.deadline:
                continue
            for option in shortest_first(job):
                found = self._with(job, option, reason, otherwise)
                if found is not None:
                    return found
        return None

    def apply(self, job: Waiting, way: _Displacement) -> None:
        """Stop the victims and start the job."""
        for victim in way.victims:
            self.world.finish(victim.job.id)
        hold(self.world, job.id, way.option, way.nodes, self.now)
        gone = {victim.job.id for victim in way.victims}
        self.running = [each for each in self.running if each.job.id not in gone]

    def _starves(self, job: Waiting) -> bool:
        return self.now - job.submitted_at > self.starvation_s

    def _with(
        self,
        job: Waiting,
        option: EstimatedPlacement,
        reason: PreemptionReason,
        otherwise: float,
    ) -> _Displacement | None:
        found = self._victims(job, option, reason)
        if found is None:
            return None
        victims, nodes = found
        end = end_of(self.world, option, nodes, self.now)
        if reason is PreemptionReason.DEADLINE and end > job.deadline:
            return None
        gain = gained_s(job, otherwise, end)
        if not worth(gain, victims, self.now):
            return None
        return _Displacement(option, nodes, victims, gain, reason)

    def _victims(
        self, job: Waiting, option: EstimatedPlacement, reason: PreemptionReason
    ) -> tuple[Sequence[RunningJob], Nodes] | None:
        """Who has to stop so that the placement fits, and its nodes; None if nobody may."""
        free = self.world.copy()
        attempts = {each.job: each for each in free.running() if each.pool == option.pool}
        stopped: list[RunningJob] = []
        candidates = self._candidates(job, reason, attempts.keys())
        while fit(free, option) is None:
            victim = next(candidates, None)
            if victim is None:
                return None
            free.finish(victim.job.id)
            stopped.append(victim)
        for victim in stopped[-2::-1]:
            if _needless(free, attempts[victim.job.id], option):
                stopped.remove(victim)
        nodes = fit(free, option)
        assert nodes is not None
        return (stopped, nodes) if stopped else None

    def _candidates(
        self, job: Waiting, reason: PreemptionReason, here: Iterable[int]
    ) -> Iterator[RunningJob]:
        jobs = set(here)
        return (
            each for each in self.running if each.job.id in jobs and may_displace(job, each, reason)
        )


def _needless(free: World, attempt: RunningAttempt, option: EstimatedPlacement) -> bool:
    """Whether the placement fits beside the attempt, which then runs in `free` again."""
    free.start(attempt)
    if fit(free, option) is not None:
        return True
    free.finish(attempt.job)
    return False
