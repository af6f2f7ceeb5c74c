"""Leases: a running job may be moved or stopped once it has worked for a while.

A policy that moves jobs gives devices for a lease, as Gavel (Narayanan et al., OSDI 2020) and
Themis (Mahajan et al., NSDI 2020) do. A job whose lease has ended stands in the queue again, with
what is left of it by estimate, and the policy chooses once more. Where it runs already it needs no
restart; everywhere else the restart counts. So it stays unless another place, or another job in its
place, is better by more than the restart. The rules of preemption may forbid a stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from scheduler.decisions.preemption.rules import (
    as_urgent,
    gained_s,
    lost_s,
    unstoppable,
    unworthy,
)
from scheduler.decisions.preemption.trial import end_of, fit, hold, option_of, soonest_end
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Placement, Plan, Reservation
from scheduler.decisions.state.preemption import (
    Preemption,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World

GRAIN_S = 1e-6
"""A lease that ends this soon has ended: sums are rounded."""
SHORTEST_S = 1.0
"""No estimate of what is left is below this."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Which attempts a round may stop or move."""

    lease_s: float
    """Seconds that an attempt works before that."""
    rules: PreemptionRules
    starvation_s: float = inf
    """A job that has waited longer before is not stopped where there are rules."""

    def ended(self, job: RunningJob, now: float) -> bool:
        """Whether the attempt's lease has ended and nothing forbids a stop."""
        if job.stopping or now < job.begun_at + self.lease_s - GRAIN_S:
            return False
        if self.rules.weighed:
            return unstoppable(job, now, self.rules, self.starvation_s) is None
        return job.progress.can_resume


class _Settlement(NamedTuple):
    """Where jobs go."""

    starts: Sequence[Placement]
    """On their nodes; in the order of the choice."""
    going_on: frozenset[int]
    """Jobs whose leases have ended and that keep their devices."""


class _Stop(NamedTuple):
    """An attempt that ends by a choice."""

    victim: RunningJob
    preemptor: int
    """The first job that takes its devices; the victim itself if it moves by its own price."""


class LeaseRound:
    """The jobs of a round whose leases have ended, and what the policy's choice does to them."""

    def __init__(
        self, now: float, world: World, running: Iterable[RunningJob], terms: LeaseTerms
    ) -> None:
        """`world`: the cluster and the jobs that wait; it is not changed."""
        self._now, self._world, self._terms = now, world, terms
        self._attempts = {each.job: each for each in world.running()}
        self._running = [each for each in running if each.job.id in self._attempts]
        self._ended = {each.job.id: each for each in self._running if terms.ended(each, now)}

    def reopened(self) -> World:
        """A copy of the world in which the jobs whose leases have ended wait again."""
        world = self._emptied()
        for number, job in self._ended.items():
            world.add(as_waiting(job, self._attempts[number], self._now))
        return world

    def plan(self, chosen: Plan) -> Plan | None:
        """What a choice in the reopened world comes to.

        None if it stops attempts against the rules: these do not stand in the queue any more, and
        the policy has to choose again.
        """
        settled = self._settled(chosen.placements)
        stops = list(self._stops(settled))
        decided = list(self._preemptions(settled, stops))
        if self._terms.rules.weighed:
            against = [each.victim for each in decided if not self._allowed(each, decided)]
            if against:
                for number in against:
                    del self._ended[number]
                return None
        return self._as_plan(chosen, settled.starts, decided)

    def _emptied(self) -> World:
        world = self._world.copy()
        for number in self._ended:
            world.finish(number)
        return world

    def _settled(self, placements: Sequence[Placement]) -> _Settlement:
        """Jobs that keep their placement keep their nodes, if the others fit beside them."""
        same = {each.job for each in placements if self._is_place(each)}
        free = self._emptied()
        for number in same:
            free.start(self._attempts[number])
        starts = []
        for each in placements:
            if each.job not in same:
                nodes = fit(free, option_of(each))
                if nodes is None:
                    return self._as_chosen(placements)
                starts.append(replace(each, nodes=nodes))
                hold(free, each.job, option_of(each), nodes, self._now)
        return self._with_rest(starts, same, free)

    def _as_chosen(self, placements: Sequence[Placement]) -> _Settlement:
        """Each job on the nodes that the round found for it."""
        free, starts, same = self._emptied(), [], set()
        for each in placements:
            if self._is_place(each) and set(each.nodes) == set(self._attempts[each.job].nodes):
                same.add(each.job)
                free.start(self._attempts[each.job])
            else:
                starts.append(each)
                hold(free, each.job, option_of(each), each.nodes, self._now)
        return self._with_rest(starts, same, free)

    def _with_rest(self, starts: Sequence[Placement], same: set[int], free: World) -> _Settlement:
        """Jobs that were not placed keep their devices if nobody takes them."""
        moved = {each.job for each in starts}
        rest = (number for number in self._ended if number not in moved | same)
        going_on = same | {number for number in rest if _begins(free, self._attempts[number])}
        return _Settlement(starts, frozenset(going_on))

    def _is_place(self, placement: Placement) -> bool:
        """Whether the placed job runs there already, on these nodes or others."""
        if placement.job not in self._ended:
            return False
        attempt = self._attempts[placement.job]
        return (placement.pool, placement.width) == (attempt.pool, attempt.width)

    def _stops(self, settled: _Settlement) -> Iterator[_Stop]:
        if self._ended.keys() <= settled.going_on:
            return
        free = self._emptied()
        for number in settled.going_on:
            free.start(self._attempts[number])
        moved = {each.job for each in settled.starts}
        for each in settled.starts:
            if each.job in self._ended:
                own = _begins(free, self._attempts[each.job])
                if own:
                    free.finish(each.job)
                yield self._stop(each.job, settled.starts, own)
            hold(free, each.job, option_of(each), each.nodes, self._now)
        for number in self._ended.keys() - moved - settled.going_on:
            yield self._stop(number, settled.starts, own=False)

    def _stop(self, number: int, starts: Sequence[Placement], own: bool) -> _Stop:
        attempt = self._attempts[number]
        nodes = {node for node, _ in attempt.nodes}
        takers = (
            each.job
            for each in starts
            if each.pool == attempt.pool and nodes & {node for node, _ in each.nodes}
        )
        return _Stop(self._ended[number], number if own else next(takers, number))

    def _preemptions(self, settled: _Settlement, stops: Iterable[_Stop]) -> Iterator[Preemption]:
        starts = {each.job: each for each in settled.starts}
        for victim, preemptor in stops:
            moves = victim.job.id == preemptor
            yield Preemption(
                victim.job.id,
                preemptor,
                PreemptionReason.MOVE if moves else PreemptionReason.POLICY,
                self._gain(starts[preemptor]),
                lost_s(victim, self._now),
            )

    def _gain(self, start: Placement) -> float:
        """Weighed seconds by which the job ends sooner there."""
        job = self._job(start.job)
        attempt = self._attempts.get(start.job)
        otherwise = soonest_end(self._world, job, self._now) if attempt is None else attempt.end
        return gained_s(
            job, otherwise, end_of(self._world, option_of(start), start.nodes, self._now)
        )

    def _job(self, number: int) -> Waiting:
        if number in self._ended:
            return self._ended[number].job
        return next(each for each in waiting_jobs(self._world) if each.id == number)

    def _allowed(self, stop: Preemption, stops: Iterable[Preemption]) -> bool:
        """Whether the rules allow it; a job may always leave its place by its own price."""
        if stop.victim == stop.preemptor:
            return True
        victims = [self._ended[each.victim] for each in stops if each.preemptor == stop.preemptor]
        urgent = as_urgent(self._job(stop.preemptor), self._ended[stop.victim], stop.reason)
        return urgent is None and unworthy(stop.gained_s, victims, self._now) is None

    def _as_plan(
        self, chosen: Plan, starts: Sequence[Placement], stops: Sequence[Preemption]
    ) -> Plan:
        world = self._world.copy() if starts else self._world
        at_once: list[Placement] = []
        deferred: list[Placement] = []
        for each in starts:
            attempt = RunningAttempt(self._now, each.job, each.pool, each.nodes, each.memory)
            free = each.job not in self._ended and _begins(world, attempt)
            (at_once if free else deferred).append(each)
        apart = self._ended.keys() | {each.job for each in deferred}
        return replace(
            chosen,
            placements=tuple(at_once),
            preemptions=tuple(stops),
            deferred=tuple(deferred),
            claims=tuple(
                Reservation(each.job, each.pool, each.width, each.memory, self._now)
                for each in deferred
            ),
            decisions=tuple(each for each in chosen.decisions if each.job not in apart),
            again_at=self._again_at(),
        )

    def _again_at(self) -> float:
        """When the next lease ends; of leases that have ended, after one more."""
        lease_s, now = self._terms.lease_s, self._now
        ends = (each.begun_at + lease_s for each in self._running)
        return min((end for end in ends if end > now + GRAIN_S), default=now + lease_s)


def as_waiting(job: RunningJob, attempt: RunningAttempt, now: float) -> Waiting:
    """The job in the queue again: no restart where it runs, one everywhere else.

    An attempt that has outlived its estimate is expected to run as long as the cluster expects it
    to (`attempt.end`), and its other placements grow in proportion.
    """
    restart_s, left_s = job.progress.restart_s, max(attempt.end - now, SHORTEST_S)
    here, growth = (attempt.pool, attempt.width), 1.0
    for each in job.job.options:
        if each[:2] == here:
            growth = max(1.0, left_s / max(each.runtime_s - restart_s, SHORTEST_S))
    options = []
    for each in job.job.options:
        seconds = left_s
        if each[:2] != here:
            seconds = restart_s + growth * max(each.runtime_s - restart_s, SHORTEST_S)
        options.append(_lasting(each, seconds))
    return replace(job.job, options=options)


def _lasting(option: EstimatedPlacement, seconds: float) -> EstimatedPlacement:
    share = seconds / max(option.runtime_s, SHORTEST_S)
    dollars, joules = option.dollars * share, option.joules * share
    return option._replace(runtime_s=seconds, dollars=dollars, joules=joules)


def _begins(world: World, attempt: RunningAttempt) -> bool:
    """Start the attempt; False if its devices are taken."""
    try:
        world.start(attempt)
    except ValueError:
        return False
    return True
