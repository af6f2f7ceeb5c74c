"""A round in which a policy chooses: how the service and the simulation decide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.precedence import most_urgent, preceding
from scheduler.decisions.rounds.round import Mode, Round
from scheduler.decisions.state.plan import Action, Plan
from scheduler.decisions.state.queue import WAIT, Floats
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.records import Decision

Observer = Callable[[Candidates, Floats, int, Action], Decision]
"""(table, scores, chosen position, what became of it) → the part worth keeping."""


def run_round(
    snapshot: Snapshot,
    policy: Policy,
    mode: Mode = Mode.EASY,
    observe: Observer | None = None,
) -> Plan:
    """The plan of one round over `snapshot` in which `policy` chooses."""
    round_ = Round(snapshot.queue, snapshot.cluster(), snapshot.now, mode, snapshot.committed)
    return decide(round_, policy, observe)


def decide(round_: Round, policy: Policy, observe: Observer | None = None) -> Plan:
    """Let `policy` choose until the round is over.

    A policy with a `starvation_s`, as the guard has, rescues what has waited longer.
    """
    own = traits(policy)
    round_.rescue(own.starvation_s)
    decisions: list[Decision] = []
    known: Floats | None = None
    while (table := round_.table()) is not None:
        scores: Floats | None = None
        if not round_.free:
            position = 1
        else:
            scores = None if known is None else known[table.rows]
            if scores is None or np.isnan(scores).any():
                # A later table may have rows that the first one had not.
                scores = policy.scores(table)
                known = _spread(table, scores) if policy.stable else None
            position = preceding(table, best(table, scores, policy), heed=own.heeds_urgency)
        row = int(table.rows[position])
        if observe is not None:
            if scores is None:
                scores = policy.scores(table)
            # Before `take`: columns are computed when read, and must show what the policy saw.
            decisions.append(observe(table, scores, position, round_.outcome(row)))
        if round_.take(row) is Action.WAIT:
            break
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
        position = int(ties[most_urgent(table.queue, table.slot[ties])])
    rivals = table.rivals(position)
    if len(rivals) == 1:
        return position
    tied = [row for row in rivals if scores[row] == scores[position]]
    if len(tied) == 1:
        return position
    part = table.only(tied)
    return tied[int(np.lexsort((part.start_delay + part.runtime, policy.costs(part)))[0])]


def _spread(table: Candidates, scores: Floats) -> Floats:
    """Scores of a table's rows at the positions of the queue's rows; NaN where it has none."""
    spread = np.full(len(table.queue.slot), np.nan)
    spread[table.rows] = scores
    return spread
