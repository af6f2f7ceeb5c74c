"""Actions of a learner that a policy would take."""

from __future__ import annotations

import numpy as np

from scheduler.arrays import Bools
from scheduler.decisions.kernel.columns import SHOWN, TABLE_ROWS
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import best
from scheduler.decisions.state.world import World


def action_of(world: World, policy: Policy, legal: Bools) -> int:
    """The action that a policy would choose among the rows that are shown and legal.

    The world is at a decision point (`kernel.learned.decision_points`); `legal`: (K,) bool.
    """
    shown = world.shown[: world.count[SHOWN]].copy()
    table = Candidates(world, world.table_row[: world.count[TABLE_ROWS]].copy())
    may = shown[legal[: len(shown)]]
    scores = np.full(len(table), -np.inf)
    scores[may] = policy.scores(table)[may]
    return int(np.searchsorted(shown, best(table, scores, policy)))
