"""Preemption under policies that do not preempt: for starving and urgent jobs only.

The policy has made its choices. A job that still waits may then take the devices of running jobs if
its mode allows it (`PreemptionMode`) and the gain exceeds the loss (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple

import numpy as np

from scheduler.decisions.kernel.columns import LIMITED, SHARED
from scheduler.decisions.preemption.obstacles import Obstacle, ObstacleKind, nearest
from scheduler.decisions.preemption.ranking import shortest_first
from scheduler.decisions.preemption.rules import (
    as_urgent,
    gained_s,
    lost_s,
    preemptions,
    unstoppable,
    unworthy,
)
from scheduler.decisions.preemption.trial import end_of, fit, hold, placement, soonest_end
from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Plan, Reservation
from scheduler.decisions.state.preemption import (
    PreemptionMode,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World

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
    stops, starts, claims = [], [], []
    for job, way in scene.ways(_left(plan, world)):
        if not isinstance(way, _Displacement):
            continue
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


def obstacles(
    plan: Plan,
    world: World,
    running: Iterable[RunningJob],
    rules: PreemptionRules,
    starvation_s: float,
    number: int,
) -> tuple[Obstacle, ...]:
    """What stands against a preemption for waiting job `number`, by the rules of `with_urgent`.

    Empty for a job that preempts in this round, or that is not urgent.
    """
    every, left = list(running), _left(plan, world)
    scene = _Scene(plan.now, world.copy(), every, rules, starvation_s)
    tried: Sequence[Obstacle] = ()
    for other, way in scene.ways(left):
        if other.id == number:
            if isinstance(way, _Displacement):
                return ()
            tried = way
            break
    job = next((each for each in left if each.id == number), None)
    reasons = [] if job is None else scene.reasons(job, every)
    if job is None or not any(scene.needs(job, reason) for reason in reasons):
        return ()
    best = nearest(each for each in tried if each.jobs)
    return (*([] if best is None else [best]), *scene.spared(job, every, reasons))


def _left(plan: Plan, world: World) -> Sequence[Waiting]:
    """The jobs that the plan leaves waiting."""
    placed = {each.job for each in plan.placements}
    return [job for job in waiting_jobs(world) if job.id not in placed and _may_start(world, job)]


def _may_start(world: World, job: Waiting) -> bool:
    """Whether the job's project may have the least of what it asks for."""
    if not world.state[LIMITED]:
        return True
    project = world.projects[job.project]
    width = min(option.width for option in job.options)
    dollars = min(option.dollars for option in job.options)
    within = world.project_devices[project] + width <= world.project_most[project]
    return bool(within and dollars <= world.project_dollars[project])


def _may_displace(world: World, job: Waiting, victim: Waiting) -> bool:
    """Whether the victim is of the same project, or of one that used more of its share."""
    if not world.state[SHARED] or job.project == victim.project:
        return True
    used = world.project_used / np.maximum(world.project_share, 1e-9)
    return bool(used[world.projects[victim.project]] > used[world.projects[job.project]])


@dataclass(slots=True)
class _Scene:
    """The cluster after the choices so far, and who may be stopped in it."""

    now: float
    world: World
    running: list[RunningJob]
    rules: PreemptionRules
    starvation_s: float

    def __post_init__(self) -> None:
        self.running = [each for each in self.running if self._unstoppable(each) is None]
        # The least urgent goes first; of equals, who loses least.
        self.running.sort(key=lambda each: (each.job.priority, lost_s(each, self.now), each.job.id))

    def turn(self, job: Waiting) -> tuple[bool, float, float, int]:
        """Sorts jobs: starving ones first, then by priority and age."""
        return not self._starves(job), -job.priority, job.submitted_at, job.id

    def ways(
        self, waiting: Iterable[Waiting]
    ) -> Iterator[tuple[Waiting, _Displacement | Sequence[Obstacle]]]:
        """Each urgent job in its turn, with its way or what stands against it; a way is taken."""
        urgent = sorted((job for job in waiting if self.reasons(job, self.running)), key=self.turn)
        for job in urgent[:TRIES]:
            way = self.way(job)
            if isinstance(way, _Displacement):
                self.apply(job, way)
            yield job, way

    def reasons(self, job: Waiting, running: Sequence[RunningJob]) -> list[PreemptionReason]:
        """For what the job may ask while these jobs run, before anything is tried."""
        found = []
        if self._starves(job):
            found.append(PreemptionReason.STARVATION)
        if isfinite(job.deadline):
            found.append(PreemptionReason.DEADLINE)
        least = min((each.job.priority for each in running), default=job.priority)
        if self.rules.mode is PreemptionMode.PRIORITY and job.priority > least:
            found.append(PreemptionReason.PRIORITY)
        return found if running else []

    def needs(self, job: Waiting, reason: PreemptionReason, otherwise: float | None = None) -> bool:
        """Whether the reason holds: of a deadline, that it is missed without a preemption.

        `otherwise`: when the job ends then; None: it is computed.
        """
        if reason is not PreemptionReason.DEADLINE:
            return True
        end = soonest_end(self.world, job, self.now) if otherwise is None else otherwise
        return end > job.deadline

    def way(self, job: Waiting) -> _Displacement | Sequence[Obstacle]:
        """The way in which the job ends first among those that the rules allow.

        If there is none: what stands against each that was tried.
        """
        otherwise, against = soonest_end(self.world, job, self.now), []
        for reason in self.reasons(job, self.running):
            if not self.needs(job, reason, otherwise):
                continue
            for option in shortest_first(job):
                found = self._with(job, option, reason, otherwise)
                if isinstance(found, _Displacement):
                    return found
                against.append(found)
        return against

    def spared(
        self, job: Waiting, running: Iterable[RunningJob], reasons: Sequence[PreemptionReason]
    ) -> Iterator[Obstacle]:
        """Why each attempt in the job's pools is out of the question, if it is."""
        pools = {option.pool for option in job.options}
        here = {each.job for each in self.world.running() if each.pool in pools}
        for each in sorted(running, key=lambda victim: victim.job.priority):
            if each.job.id in here:
                equal = [as_urgent(job, each, reason) for reason in reasons]
                found = self._unstoppable(each) or (None if None in equal else equal[0])
                if found is not None:
                    yield found

    def apply(self, job: Waiting, way: _Displacement) -> None:
        """Stop the victims and start the job."""
        for victim in way.victims:
            self.world.finish(victim.job.id)
        hold(self.world, job.id, way.option, way.nodes, self.now)
        gone = {victim.job.id for victim in way.victims}
        self.running = [each for each in self.running if each.job.id not in gone]

    def _unstoppable(self, victim: RunningJob) -> Obstacle | None:
        return unstoppable(victim, self.now, self.rules, self.starvation_s)

    def _starves(self, job: Waiting) -> bool:
        return self.now - job.submitted_at > self.starvation_s

    def _with(
        self,
        job: Waiting,
        option: EstimatedPlacement,
        reason: PreemptionReason,
        otherwise: float,
    ) -> _Displacement | Obstacle:
        victims, nodes = self._victims(job, option, reason)
        jobs = tuple(victim.job.id for victim in victims)
        if nodes is None or not victims:
            return Obstacle(ObstacleKind.DEVICES, jobs)
        end = end_of(self.world, option, nodes, self.now)
        if reason is PreemptionReason.DEADLINE and end > job.deadline:
            return Obstacle(ObstacleKind.DEADLINE, jobs, end - job.deadline)
        gain = gained_s(job, otherwise, end)
        poor = unworthy(gain, victims, self.now)
        return poor or _Displacement(option, nodes, victims, gain, reason)

    def _victims(
        self, job: Waiting, option: EstimatedPlacement, reason: PreemptionReason
    ) -> tuple[Sequence[RunningJob], Nodes | None]:
        """Who has to stop so that the placement fits, and its nodes.

        No nodes: it does not fit although all stop that may.
        """
        free = self.world.copy()
        attempts = {each.job: each for each in free.running() if each.pool == option.pool}
        stopped: list[RunningJob] = []
        candidates = self._candidates(job, reason, attempts.keys())
        while fit(free, option) is None:
            victim = next(candidates, None)
            if victim is None:
                return stopped, None
            free.finish(victim.job.id)
            stopped.append(victim)
        for victim in stopped[-2::-1]:
            if _needless(free, attempts[victim.job.id], option):
                stopped.remove(victim)
        nodes = fit(free, option)
        return stopped, nodes

    def _candidates(
        self, job: Waiting, reason: PreemptionReason, here: Iterable[int]
    ) -> Iterator[RunningJob]:
        jobs = set(here)
        return (
            each
            for each in self.running
            if each.job.id in jobs
            and as_urgent(job, each, reason) is None
            and _may_displace(self.world, job, each.job)
        )


def _needless(free: World, attempt: RunningAttempt, option: EstimatedPlacement) -> bool:
    """Whether the placement fits beside the attempt, which then runs in `free` again."""
    free.start(attempt)
    if fit(free, option) is not None:
        return True
    free.finish(attempt.job)
    return False
