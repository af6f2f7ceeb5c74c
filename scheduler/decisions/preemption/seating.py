"""A round of a policy that preempts: which jobs run now, out of all that run or wait.

All jobs are sorted by the policy's ranking. Those that fit run, from the front of that order; the
others wait. A running job that still fits keeps its devices, and moves only if a job further ahead
does not fit otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from math import inf
from typing import NamedTuple

from scheduler.decisions.preemption.obstacles import Obstacle, ObstacleKind
from scheduler.decisions.preemption.quotas import SeatQuotas
from scheduler.decisions.preemption.ranking import (
    RankedAttempt,
    RankedJob,
    RankedQueue,
    Ranking,
    shortest_first,
)
from scheduler.decisions.preemption.rules import as_urgent, gained_s, unstoppable, unworthy
from scheduler.decisions.preemption.trial import end_of, fit, full, hold, soonest_end
from scheduler.decisions.preemption.turns import in_turns
from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, Waiting
from scheduler.decisions.state.preemption import PreemptionReason, PreemptionRules, RunningJob
from scheduler.decisions.state.world import World

TRIES = 64
"""Waiting jobs per round for which victims are looked for; those behind wait for another round."""


class Seat(NamedTuple):
    """Where a job runs from now on."""

    job: int
    option: EstimatedPlacement | None
    """None: the attempt runs on where it is."""
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """What a round of a policy that preempts may know. Nothing in it changes."""

    now: float
    world: World
    queue: RankedQueue
    running: Mapping[int, RankedAttempt]
    """Job → its attempt, for all that may be stopped."""
    ranking: Ranking
    rules: PreemptionRules
    starvation_s: float = inf


@dataclass(frozen=True, slots=True)
class Displacement:
    """Attempts that are stopped for one job."""

    preemptor: Waiting
    victims: Sequence[RunningJob]
    reason: PreemptionReason
    gained_s: float


@dataclass(frozen=True, slots=True)
class Seating:
    """The outcome: where jobs run, and who is stopped for whom."""

    seats: Sequence[Seat]
    displacements: Sequence[Displacement]
    tried: Mapping[int, Obstacle] = field(default_factory=dict)
    """Waiting job for which victims were sought → why it displaces nothing."""
    spared: Sequence[tuple[RankedJob, Obstacle]] = ()
    """Running jobs that may not be stopped, with the reason."""
    queue: Iterable[RankedJob] = ()
    """The waiting jobs in the order in which they were to be seated."""


def seated(contest: Contest) -> Seating:
    """Seat the jobs of a contest: by the rules where they weigh, else as the papers say."""
    seating = _Weighed(contest) if contest.rules.weighed else _Published(contest)
    return seating.outcome()


def obstacles(contest: Contest, job: int) -> Sequence[Obstacle]:
    """What stands against a preemption for a waiting job; empty if it has a seat."""
    seating = seated(contest)
    entry = next((each for each in seating.queue if each.job == job), None)
    if entry is None or any(seat.job == job for seat in seating.seats):
        return ()
    tried = [seating.tried[job]] if job in seating.tried else []
    return [*tried, *(found for rank, found in seating.spared if entry < rank)]


class _Published:
    """The front of the order runs, whatever is lost by it."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        self._available = contest.world
        """The cluster as it is, without attempts that are being stopped already."""
        self._movable = dict(contest.running)
        self._quotas = SeatQuotas(contest.world, contest.running, contest.queue)
        ranked = sorted(each.ranked(contest.ranking) for each in contest.running.values())
        self._ranked, self.queue = in_turns(
            ranked, contest.queue, contest.world, contest.running, contest.now
        )
        """Those that run, and the waiting jobs, in the order in which they are seated."""

    def outcome(self) -> Seating:
        """Seats, and the attempts that have none or another one."""
        seats = self._settled(merge(self._ranked, self.queue))
        stopped = self._displacements(seats, self._stopped(seats))
        return Seating(seats, list(stopped), queue=self.queue)

    def _settled(self, order: Iterable[RankedJob]) -> list[Seat]:
        """Seats of the jobs that fit; running ones stay if the others fit beside them."""
        chosen = list(self._chosen(order))
        seats = [Seat(each.job, None) for each in chosen if each.job in self._movable]
        free = self._emptied()
        for seat in seats:
            free.start(self._movable[seat.job].attempt)
        for job, *_ in chosen:
            if job not in self._movable:
                found = self._seat(job, free)
                if found is None:
                    return chosen
                seats.append(found)
        return seats

    def _chosen(self, order: Iterable[RankedJob]) -> Iterator[Seat]:
        """The jobs that fit, from the front of the order, as if no job had devices yet."""
        free = self._emptied()
        for entry in order:
            if full(free):
                return
            runs = entry.job in self._movable
            found = self._reseat(entry.job, free) if runs else self._seat(entry.job, free)
            if found is not None:
                yield found

    def _emptied(self) -> World:
        free = self._available.copy()
        for job in self._movable:
            free.finish(job)
        return free

    def _seat(self, job: int, free: World) -> Seat | None:
        for option in shortest_first(self._contest.queue.job(job)):
            nodes = fit(free, option)
            if nodes is not None and self._quotas.allow(job, option, free):
                hold(free, job, option, nodes, self._contest.now)
                return Seat(job, option, nodes)
        return None

    def _reseat(self, job: int, free: World) -> Seat | None:
        """The attempt's own nodes, else others of its pool for as many devices."""
        attempt = self._movable[job].attempt
        here = EstimatedPlacement(attempt.pool, attempt.width, attempt.memory, 0.0, 0.0, 0.0)
        nodes = fit(free, here)
        if nodes is None or not self._quotas.allow_again(attempt, free):
            return None
        try:
            free.start(attempt)
        except ValueError:
            hold(free, job, here, nodes, self._contest.now)
            return Seat(job, self._again(job), nodes)
        return Seat(job, None)

    def _again(self, job: int) -> EstimatedPlacement:
        """The placement with which a job that moves goes on."""
        its = self._movable[job]
        size = its.attempt.pool, its.attempt.width
        return next(each for each in its.details().job.options if each[:2] == size)

    def _stopped(self, seats: Sequence[Seat]) -> set[int]:
        return self._movable.keys() - {seat.job for seat in seats if seat.option is None}

    def _displacements(
        self, seats: Sequence[Seat], stopped: Iterable[int]
    ) -> Iterator[Displacement]:
        """Each victim gives way to the first job that starts in its pool."""
        victims: dict[int, list[RunningJob]] = {}
        starts = [seat for seat in seats if seat.option and seat.job not in self._movable]
        for job in sorted(stopped):
            pool = self._movable[job].attempt.pool
            named = (each for each in starts if each.option and each.option.pool == pool)
            preemptor = next(named, starts[0] if starts else None)
            if preemptor is not None:
                victims.setdefault(preemptor.job, []).append(self._movable[job].details())
        for job, theirs in victims.items():
            waiting = self._contest.queue.job(job)
            seat = next(each for each in starts if each.job == job)
            yield Displacement(waiting, theirs, PreemptionReason.POLICY, self._gain(seat))

    def _gain(self, seat: Seat) -> float:
        """Weighed seconds by which the job ends sooner in its seat."""
        now, world = self._contest.now, self._contest.world
        job, option = self._contest.queue.job(seat.job), seat.option
        assert option is not None
        end = end_of(world, option, seat.nodes, now)
        return gained_s(job, soonest_end(world, job, now), end)


class _Weighed(_Published):
    """Like it, but a job displaces others only where the rules allow it."""

    def __init__(self, contest: Contest) -> None:
        super().__init__(contest)
        self._details = {job: each.details() for job, each in contest.running.items()}
        allowed = contest.now, contest.rules, contest.starvation_s
        against = {job: unstoppable(each, *allowed) for job, each in self._details.items()}
        self._spared = [
            (rank, found) for rank in self._ranked if (found := against[rank.job]) is not None
        ]
        self._movable = {job: each for job, each in contest.running.items() if not against[job]}
        self._ranked = [each for each in self._ranked if each.job in self._movable]
        self._available = contest.world.copy()
        for job, each in self._details.items():
            if each.stopping:
                self._available.finish(job)

    def outcome(self) -> Seating:
        """Admit waiting jobs one after another, from the front."""
        admitted: list[RankedJob] = []
        seats = self._settled(self._ranked)
        free, tries = self._available.copy(), TRIES
        found: list[Displacement] = []
        tried: dict[int, Obstacle] = {}
        for entry in self.queue:
            beside = self._seat(entry.job, free)
            if beside is not None:
                admitted.append(entry)
                seats.append(beside)
                continue
            if not (tries and self._ranked and entry < self._ranked[-1]):
                if full(free):
                    break
                continue
            tries -= 1
            trial = self._settled(merge(self._ranked, [*admitted, entry]))
            new = self._displacement(entry, seats, trial)
            if isinstance(new, Obstacle):
                tried[entry.job] = new
            else:
                admitted.append(entry)
                found.append(new)
                seats, free = trial, self._held(trial)
        return Seating(seats, found, tried, self._spared, self.queue)

    def _displacement(
        self, entry: RankedJob, before: Sequence[Seat], after: Sequence[Seat]
    ) -> Displacement | Obstacle:
        """What the job displaces, or why it displaces nothing."""
        seats = {seat.job: seat for seat in after}
        if entry.job not in seats or {seat.job for seat in before if seat.option} - seats.keys():
            return Obstacle(ObstacleKind.DEVICES, tuple(self._movable))
        job = self._contest.queue.job(entry.job)
        reason = PreemptionReason.STARVATION if not entry.turn else PreemptionReason.POLICY
        victims = [self._details[each] for each in self._stopped(after) - self._stopped(before)]
        gain = self._gain(seats[entry.job])
        victims.sort(key=lambda each: each.job.id)
        equal = [found for each in victims if (found := as_urgent(job, each, reason))]
        against = equal[0] if equal else unworthy(gain, victims, self._contest.now)
        return against or Displacement(job, victims, reason, gain)

    def _held(self, seats: Sequence[Seat]) -> World:
        """The cluster with all seats taken."""
        free = self._emptied()
        for seat in seats:
            if seat.option is None:
                free.start(self._movable[seat.job].attempt)
            else:
                hold(free, seat.job, seat.option, seat.nodes, self._contest.now)
        return free
