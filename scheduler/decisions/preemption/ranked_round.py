"""The plan of a round of a policy that preempts."""

from __future__ import annotations

from functools import partial
from math import inf

from scheduler.decisions.preemption.ranking import RankedAttempt, RankedQueue, Ranking
from scheduler.decisions.preemption.rules import preemptions
from scheduler.decisions.preemption.seating import Contest, Seat, Seating, seated
from scheduler.decisions.preemption.trial import hold, placement
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.preemption import JobProgress, PreemptionRules
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World


def contest(
    snapshot: Snapshot, ranking: Ranking, rules: PreemptionRules, starvation_s: float = inf
) -> Contest:
    """The contest of all jobs in a snapshot."""
    queue = RankedQueue(ranking)
    for job in waiting_jobs(snapshot.world):
        starves = snapshot.now - job.submitted_at > starvation_s
        queue.add(job, snapshot.progress.get(job.id), starves=starves)
    known = {each.job.id: each for each in snapshot.running_jobs}
    running = {
        attempt.job: RankedAttempt(
            attempt,
            known[attempt.job].job.submitted_at,
            known[attempt.job].progress,
            partial(known.__getitem__, attempt.job),
        )
        for attempt in sorted(
            (each for each in snapshot.world.running() if each.job in known),
            key=lambda each: (known[each.job].placed_at, each.job),
        )
    }
    return Contest(snapshot.now, snapshot.world, queue, running, ranking, rules, starvation_s)


def ranked_plan(contest: Contest, policy: str) -> Plan:
    """The plan of a contest: what starts, what is stopped, and when to decide again."""
    seating = seated(contest)
    now, at_once, deferred = contest.now, [], []
    world = contest.world.copy()
    for seat in seating.seats:
        if seat.option is None:
            continue
        moves = seat.job in contest.running
        if moves or not _starts(world, seat, now):
            deferred.append(placement(seat.job, seat.option, seat.nodes))
        else:
            at_once.append(placement(seat.job, seat.option, seat.nodes))
    return Plan(
        now,
        policy,
        tuple(at_once),
        preemptions=tuple(
            each
            for found in seating.displacements
            for each in preemptions(
                found.preemptor, found.victims, found.reason, found.gained_s, now
            )
        ),
        deferred=tuple(deferred),
        again_at=_again_at(contest, seating),
    )


def _starts(world: World, seat: Seat, now: float) -> bool:
    """Start the seat's job; False if its nodes are not free yet."""
    assert seat.option is not None
    try:
        hold(world, seat.job, seat.option, seat.nodes, now)
    except ValueError:
        return False
    return True


def _again_at(contest: Contest, seating: Seating) -> float:
    """When the rank of a job that runs changes although nothing happens."""
    soonest = inf
    for seat in seating.seats:
        if seat.option is None:
            attempt, _, progress, _ = contest.running[seat.job]
            lasts = contest.ranking(progress, attempt.width).lasts_s
        else:
            lasts = contest.ranking(_progress(contest, seat.job), seat.option.width).lasts_s
        soonest = min(soonest, lasts)
    return contest.now + soonest


def _progress(contest: Contest, job: int) -> JobProgress:
    its = contest.running.get(job)
    return contest.queue.progress(job) if its is None else its.progress
