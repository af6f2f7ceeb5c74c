"""wgc (weighted greedy under congestion): which job by an index, where by a price, or wait.

Its formulas are in `scheduler.decisions.kernel.wgc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel import wgc
from scheduler.decisions.kernel.choosing import NUMBER, use_scorer
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.scorer import Scorer, congestion_priced
from scheduler.decisions.state.entries import WAIT
from scheduler.policies.constants import Constants, Schedule

PATIENCE = wgc.PATIENCE
"""Score of WAIT: below every job that is eligible, above those that are not."""


@dataclass(frozen=True, slots=True)
class Wgc:
    """The policy, with its constants at every preference."""

    constants: Constants | Schedule = field(default_factory=Constants)
    name: str = "wgc"
    stable: bool = False
    summary: str = "waits for the devices that suit a job, priced by congestion"
    criteria: ClassVar[Sequence[Criterion]] = (
        Criterion.PRIORITY,
        Criterion.DEADLINE,
        Criterion.AREA,
        Criterion.ARRIVAL,
    )
    """The terms of its index."""
    scorer: Scorer = field(init=False, repr=False, compare=False)
    """The same in compiled code."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scorer", congestion_priced(self.constants.table()))

    def scores(self, table: Candidates) -> Floats:
        """(n,) The index of the row's job if it is eligible, else less than WAIT: by its regret."""
        world = table.world
        world.row_listed[:] = 0
        world.row_listed[table.rows] = 1
        use_scorer(world.handle, int(self.scorer.codes[NUMBER]))
        wgc.score_jobs(world.handle, self.scorer.constants, self.scorer.weights)
        scores = world.job_score.take(table.slot)
        # A job that could start on one row must not be given another on which it never fits.
        scores[np.isinf(table.start_delay)] = -np.inf
        scores[WAIT] = PATIENCE
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The cost of each row: where a job starts."""
        use_scorer(table.world.handle, int(self.scorer.codes[NUMBER]))
        return costs_by_wgc(table, self.scorer)


def costs_by_wgc(table: Candidates, scorer: Scorer) -> Floats:
    """(n,) The price of each row to a scorer that the table's world is used with."""
    of_jobs = table.rows > 0
    costs, found = np.zeros(len(table)), np.empty(int(of_jobs.sum()))
    wgc.wgc_costs(table.world.handle, scorer.constants, scorer.weights, table.rows[of_jobs], found)
    costs[of_jobs] = found
    return costs
