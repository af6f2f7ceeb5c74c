"""wgc: a congestion-priced, ageing greedy for the balance of latency and cost.

The cost of a row, with λ the preference (0 cheapest … 1 fastest), u = priority / (ideal + 30 s)
the rate at which a waiting job's weighted slowdown grows, and U its sum over all waiting jobs:

    λ · u · (start delay + runtime)  +  (1 - λ) · dollars / scale
      +  μ · λ · U · runtime · width / devices of the pool

The last term is what the placement inflicts on those who wait: for as long as it runs, it takes
its share of the pool from them. The cheapest row is taken if its regret, the difference to the
job's best row on any pool, busy or not, is at most θ + κ · λ · u · wait: a job holds out for the
devices that suit it, and less so the longer it waits. If no row passes, the policy waits.

Priorities are divided by 50, so that a job of middling priority has weight 1. The shadow price
for capacity is in the spirit of Kelly, "Charging and rate control for elastic traffic", 1997.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.queue import WAIT, Floats

PATIENCE = -1e200
"""Score of WAIT: below every row that passes, above those that do not."""
SOFTENING_S = 30.0
"""Added to the ideal runtime: the shortest jobs must not outweigh everything."""
MIDDLING = 50.0
"""The priority of weight 1."""


@dataclass(frozen=True, slots=True)
class Wgc:
    """The policy; the defaults are reasonable guesses, no tuned values."""

    name: str = "wgc"
    preference: float | None = None
    """λ of every job; None: each job's own preference."""
    congestion: float = 1.0
    """μ."""
    patience: float = 0.5
    """θ."""
    ageing: float = 1.0
    """κ."""
    dollars: float | None = None
    """What a slowdown of 1 is worth; None: the job's cheapest placement."""
    stable: bool = False
    summary: str = "waits for the devices that suit a job, priced by congestion"

    def scores(self, table: Candidates) -> Floats:
        """(n,) Minus the cost of rows that pass, -inf of those that do not."""
        queue = table.queue
        everywhere = table.all_open()
        cost = self._cost(everywhere, self._pressure(table))
        spread = np.full(len(queue.slot), np.inf)
        spread[everywhere.rows] = cost
        best = np.full(len(queue.id), np.inf)
        np.minimum.at(best, everywhere.slot, cost)
        own = spread[table.rows]
        with np.errstate(invalid="ignore"):
            regret = own - best[table.slot]
        light = self._preferences(table)
        allowed = self.patience + self.ageing * light * _rate(table) * np.maximum(table.wait, 0.0)
        scores = np.where(regret <= allowed, -own, -np.inf)
        scores[WAIT] = PATIENCE
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The cost of each row; only ever asked about equal scores."""
        return self._cost(table, self._pressure(table))

    def _cost(self, table: Candidates, pressure: float) -> Floats:
        light = self._preferences(table)
        scale = self.dollars if self.dollars is not None else table.cheapest
        scale = np.where(np.asarray(scale) > 0, scale, 1.0)
        finish = table.start_delay + table.runtime
        # 0 · inf is not a number: what never fits is ruled out whatever the preference.
        cost: Floats = np.where(
            np.isfinite(finish),
            light * _rate(table) * np.where(np.isfinite(finish), finish, 0.0)
            + (1.0 - light) * table.dollars / scale
            + self.congestion * light * pressure * table.runtime * table.share,
            np.inf,
        )
        return cost

    def _pressure(self, table: Candidates) -> float:
        """U: over all waiting jobs, each counted once."""
        queue = table.queue
        waiting = queue.open[queue.first]
        waiting[0] = False
        weight = queue.priority[waiting] / MIDDLING
        return float((weight / (queue.ideal[waiting] + SOFTENING_S)).sum())

    def _preferences(self, table: Candidates) -> Floats:
        if self.preference is None:
            return table.preference
        return np.full(len(table), self.preference)


def _rate(table: Candidates) -> Floats:
    """u: weighted slowdown a second."""
    rate: Floats = table.priority / MIDDLING / (table.ideal + SOFTENING_S)
    return rate
