"""Actions of a learner that a policy would take."""

from __future__ import annotations

import numpy as np

from scheduler.arrays import Bools, Ints
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import best


def action_of(table: Candidates, shown: Ints, policy: Policy, legal: Bools) -> int:
    """The action that a policy would choose among the rows that are shown and legal.

    `shown`: (n,) positions in the table, ascending; `legal`: (K,) bool, K ≥ n.
    """
    may = shown[legal[: len(shown)]]
    scores = np.full(len(table), -np.inf)
    scores[may] = policy.scores(table)[may]
    return int(np.searchsorted(shown, best(table, scores, policy)))
