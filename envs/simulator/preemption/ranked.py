"""Runs a simulation with a policy that preempts (`scheduler.policies.preemptive`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from math import inf
from typing import Protocol

from envs.simulator.preemption.wake_ups import WakeUps
from scheduler.decisions.preemption.ranked_round import ranked_plan
from scheduler.decisions.preemption.ranking import RankedAttempt, RankedQueue, Ranking
from scheduler.decisions.preemption.seating import Contest
from scheduler.decisions.preemption.trial import placement
from scheduler.decisions.state.entries import RunningAttempt, Waiting
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.preemption import (
    JobProgress,
    Preemption,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.world import World


class Preemptible(Protocol):
    """What a run with a ranking needs of a simulation."""

    world: World

    @property
    def now(self) -> float:
        """Simulated seconds."""

    def advance(self) -> bool:
        """Run until something may be decided."""

    def commit(self, plan: Plan, *, save: bool = True) -> None:
        """Carry out a plan."""

    def wake(self, delay_s: float) -> None:
        """Let something be decided later."""

    def progress(self, number: int) -> JobProgress:
        """The visible progress of a job."""

    def running_job(self, number: int) -> RunningJob:
        """A running job as decisions see it."""


class SimulatedRanking:
    """The queue of a simulation in the order of a ranking, and the rounds over it."""

    def __init__(
        self, simulation: Preemptible, policy: str, ranking: Ranking, rules: PreemptionRules
    ) -> None:
        self._simulation, self._policy = simulation, policy
        self._ranking, self._rules = ranking, rules
        self._queue = RankedQueue(ranking)
        self._submitted: dict[int, float] = {}
        self._starts: dict[int, int] = {}
        """Running job → its place in the order of starts."""
        self._counter = count()

    def add(self, job: Waiting) -> None:
        """A job enters the queue."""
        self._submitted[job.id] = job.submitted_at
        self._queue.add(job, self._simulation.progress(job.id))

    def remove(self, job: int) -> None:
        """A job leaves the queue: it starts."""
        self._queue.remove(job)
        self._starts[job] = next(self._counter)

    def run(self, *, save: bool = True, disturb: bool = False) -> None:
        """Decide until the simulation ends.

        `save`: a preempted job writes a checkpoint first. `disturb`: every running job is restarted
        at every event, as in simulators that derive from Tiresias's.
        """
        simulation, disturbed = self._simulation, -inf
        wake_ups = WakeUps(simulation.wake)
        while simulation.advance():
            now = simulation.now
            plan = self.plan()
            if disturb and now > disturbed:
                # Once per instant: each preempted job asks for another decision.
                disturbed = now
                plan = self._restarted(plan)
            # A simulated stop is instant, and so all starts wait only for the stops.
            starts = (*plan.placements, *plan.deferred)
            simulation.commit(replace(plan, placements=(), deferred=starts), save=save)
            wake_ups.ask(now, plan.again_at)

    def plan(self) -> Plan:
        """The plan of a round now."""
        simulation = self._simulation
        contest = Contest(
            simulation.now,
            simulation.world,
            self._queue,
            self._running(),
            self._ranking,
            self._rules,
        )
        return ranked_plan(contest, self._policy)

    def _running(self) -> Mapping[int, RankedAttempt]:
        attempts = [each for each in self._simulation.world.running() if each.job > 0]
        # Which of equal nodes is taken depends on the order in which they become free.
        attempts.sort(key=lambda each: self._starts[each.job])
        return {each.job: self._ranked(each) for each in attempts}

    def _ranked(self, attempt: RunningAttempt) -> RankedAttempt:
        job = attempt.job
        return RankedAttempt(
            attempt,
            self._submitted[job],
            self._simulation.progress(job),
            partial(self._simulation.running_job, job),
        )

    def _restarted(self, plan: Plan) -> Plan:
        """The plan, with a restart in place of each attempt that would run on."""
        stopped = {each.victim for each in plan.preemptions}
        stops, starts = [], []
        for job, (attempt, *_) in self._running().items():
            if job in stopped:
                continue
            options = self._simulation.running_job(job).job.options
            option = next(each for each in options if each[:2] == (attempt.pool, attempt.width))
            stops.append(Preemption(job, job, PreemptionReason.POLICY, 0.0, 0.0))
            starts.append(placement(job, option, attempt.nodes))
        return replace(
            plan,
            preemptions=(*stops, *plan.preemptions),
            deferred=(*starts, *plan.deferred),
        )
