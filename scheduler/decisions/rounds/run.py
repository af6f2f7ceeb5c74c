"""A round in which a policy chooses: how the service and the simulation decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isfinite

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.choosing import INVALID, NOTHING
from scheduler.decisions.kernel.rules.precedence import first_of
from scheduler.decisions.preemption import seating, urgent
from scheduler.decisions.preemption.claims import served
from scheduler.decisions.preemption.leases import LeaseRound, LeaseTerms
from scheduler.decisions.preemption.obstacles import Obstacle
from scheduler.decisions.preemption.ranked_round import contest, ranked_plan
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import WAIT
from scheduler.decisions.state.plan import Action, Plan
from scheduler.decisions.state.preemption import OFF, PreemptionRules, RunningJob
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
from scheduler.domain.records import Decision

Observer = Callable[[Candidates, Floats, int, Action], Decision]
"""(table, scores, chosen position, what became of it) → the part worth keeping."""


def run_round(
    snapshot: Snapshot,
    policy: Policy,
    mode: Mode = Mode.EASY,
    observe: Observer | None = None,
    rules: PreemptionRules = OFF,
) -> Plan:
    """The plan of one round over `snapshot` in which `policy` chooses.

    `rules`: what may be preempted. A policy that preempts has no mode: nothing is reserved.
    """
    own = traits(policy)
    if own.ranking is not None:
        plan = ranked_plan(contest(snapshot, own.ranking, rules, own.starvation_s), policy.name)
        return plan if observe is None else _observed(snapshot, policy, plan, observe)
    if isfinite(own.lease_s):
        return _leased(snapshot, policy, mode, observe, rules)
    plan, world = _chosen(snapshot, policy, mode, observe)
    if not rules.urgent:
        return plan
    return urgent.with_urgent(plan, world, _running(snapshot, plan), rules, own.starvation_s)


def obstacles(
    snapshot: Snapshot, policy: Policy, mode: Mode, rules: PreemptionRules, job: int
) -> Sequence[Obstacle]:
    """What stands against a preemption for a waiting job in such a round.

    Empty for a job that preempts or is placed, and for one that may not ask for a preemption.
    """
    own = traits(policy)
    if own.ranking is not None:
        return seating.obstacles(contest(snapshot, own.ranking, rules, own.starvation_s), job)
    if isfinite(own.lease_s) or not rules.urgent:
        return ()
    plan, world = _chosen(snapshot, policy, mode, None)
    running = _running(snapshot, plan)
    return urgent.obstacles(plan, world, running, rules, own.starvation_s, job)


def _chosen(
    snapshot: Snapshot, policy: Policy, mode: Mode, observe: Observer | None
) -> tuple[Plan, World]:
    """What the policy chooses after the claims, and the world with that."""
    claimed = served(snapshot)
    round_ = Round(claimed.world, snapshot.now, mode, snapshot.committed)
    plan = decide(round_, policy, observe)
    plan = replace(plan, placements=(*claimed.placements, *plan.placements), claims=claimed.claims)
    return plan, claimed.world


def _leased(
    snapshot: Snapshot,
    policy: Policy,
    mode: Mode,
    observe: Observer | None,
    rules: PreemptionRules,
) -> Plan:
    """The plan of a policy that moves jobs: those whose leases have ended are placed again."""
    own, claimed = traits(policy), served(snapshot)
    terms = LeaseTerms(own.lease_s, rules, own.starvation_s)
    leases = LeaseRound(snapshot.now, claimed.world, snapshot.running_jobs, terms)
    plan = None
    while plan is None:
        round_ = Round(leases.reopened(), snapshot.now, mode, snapshot.committed)
        plan = leases.plan(decide(round_, policy, observe))
    return replace(
        plan,
        placements=(*claimed.placements, *plan.placements),
        claims=(*claimed.claims, *plan.claims),
    )


def _running(snapshot: Snapshot, plan: Plan) -> Iterator[RunningJob]:
    placed = {placement.job for placement in plan.placements}
    return (each for each in snapshot.running_jobs if each.job.id not in placed)


def _observed(snapshot: Snapshot, policy: Policy, plan: Plan, observe: Observer) -> Plan:
    """The plan of a policy that preempts, with what speaks for each start."""
    table = Round(snapshot.world.copy(), snapshot.now, Mode.NONE).table()
    if table is None:
        return plan
    scores, decisions = policy.scores(table), []
    for placement in plan.placements:
        same = (
            (table.world.job_id[table.slot] == placement.job)
            & (table.pool == placement.pool)
            & (table.width == placement.width)
        )
        for position in np.flatnonzero(same)[:1]:
            decisions.append(observe(table, scores, int(position), placement.action))
        # What has started is no rival of the next one.
        scores = np.where(table.job == placement.job, -np.inf, scores)
    return replace(plan, decisions=tuple(decisions))


def decide(round_: Round, policy: Policy, observe: Observer | None = None) -> Plan:
    """Let `policy` choose until the round is over.

    A policy with a compiled scorer chooses in compiled code; any other gets a table for each
    choice, and so does one whose scores turn out not to be numbers. A policy with a `starvation_s`,
    as the guard has, rescues what has waited longer.
    """
    own = traits(policy)
    round_.rescue(own.starvation_s)
    if own.scorer is not None and observe is None and round_.play(own.scorer):
        return round_.plan(policy.name)
    decisions: list[Decision] = []
    known: Floats | None = None
    while (table := round_.table()) is not None:
        scores: Floats | None = None
        if not round_.free:
            row = int(table.rows[1])
        else:
            chosen = INVALID if own.scorer is None else round_.choose(own.scorer)
            if chosen == INVALID:
                scores = None if known is None else known[table.rows]
                if scores is None or np.isnan(scores).any():
                    # A later table may have rows that the first one had not.
                    scores = policy.scores(table)
                    known = _spread(table, scores) if policy.stable else None
                chosen = int(table.rows[best(table, scores, policy)])
                chosen = round_.preceding(chosen, heed=own.heeds_urgency)
            # None of the rows could ever start, by the estimates: that is waiting, too.
            row = WAIT if chosen == NOTHING else chosen
        if observe is not None:
            if scores is None:
                scores = policy.scores(table)
            # Before `take`: columns are computed when read, and must show what the policy saw.
            position = int(np.searchsorted(table.rows, row))
            decisions.append(observe(table, scores, position, round_.outcome(row)))
        round_.take(row)
    return round_.plan(policy.name, tuple(decisions))


def best(table: Candidates, scores: Floats, policy: Policy) -> int:
    """Position of the best row: highest score, then the oldest job, then the most urgent.

    Between equally scored rows of that job: least cost, then soonest end.
    """
    position = int(np.argmax(scores))
    if position == WAIT:
        return position
    ties = np.flatnonzero(scores == scores[position])
    if len(ties) > 1:
        position = int(ties[first_of(table.world.handle, table.slot[ties])])
    rivals = table.rivals(position)
    if len(rivals) == 1:
        return position
    tied = [row for row in rivals if scores[row] == scores[position]]
    if len(tied) == 1:
        return position
    part = table.only(tied)
    return tied[int(np.lexsort((part.start_delay + part.runtime, policy.costs(part)))[0])]


def _spread(table: Candidates, scores: Floats) -> Floats:
    """Scores of a table's rows at the positions of the world's rows; NaN where it has none."""
    spread = np.full(len(table.world.row_slot), np.nan)
    spread[table.rows] = scores
    return spread
