"""wgc: a congestion-priced, ageing greedy for the balance of latency and cost.

The cost of a row, with λ the preference (0 cheapest … 1 fastest), u = priority / (ideal + σ) the
rate at which a waiting job's weighted slowdown grows, and U its sum over all waiting jobs:

    λ · u · (start delay + runtime)  +  (1 - λ) · dollars / scale
      +  μ · λ · U · runtime · width / devices of the pool

The last term is what the placement inflicts on those who wait: for as long as it runs, it takes
its share of the pool from them. The cheapest row is taken if its regret, the difference to the
job's best row on any pool, busy or not, is at most θ + κ · λ · u · wait: a job holds out for the
devices that suit it, and less so the longer it waits. If no row passes, the policy waits.

Priorities are divided by 50, so that a job of middling priority has weight 1. With a σ far above
all runtimes every job's seconds count alike, with a small one its slowdown counts. The shadow price
for capacity is in the spirit of Kelly, "Charging and rate control for elastic traffic", 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.queue import WAIT, Floats
from scheduler.policies.constants import Constants, Schedule, Terms

PATIENCE = -1e200
"""Score of WAIT: below every row that passes, above those that do not."""
MIDDLING = 50.0
"""The priority of weight 1."""


@dataclass(frozen=True, slots=True)
class Wgc:
    """The policy, with its constants at every preference."""

    constants: Constants | Schedule = field(default_factory=Constants)
    name: str = "wgc"
    stable: bool = False
    summary: str = "waits for the devices that suit a job, priced by congestion"

    def scores(self, table: Candidates) -> Floats:
        """(n,) Minus the cost of rows that pass, -inf of those that do not."""
        queue = table.queue
        everywhere = table.all_open()
        terms = self._terms(everywhere)
        rate = _rate(everywhere, terms)
        cost = _cost(everywhere, terms, rate, self._pressure(table))
        best = np.full(len(queue.id), np.inf)
        np.minimum.at(best, everywhere.slot, cost)
        with np.errstate(invalid="ignore"):
            regret = cost - best[everywhere.slot]
        age = np.maximum(everywhere.wait, 0.0)
        passes = regret <= terms.patience + terms.ageing * terms.preference * rate * age
        spread = np.full(len(queue.slot), -np.inf)
        spread[everywhere.rows] = np.where(passes, -cost, -np.inf)
        scores: Floats = spread[table.rows]
        scores[WAIT] = PATIENCE
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The cost of each row; only ever asked about equal scores."""
        terms = self._terms(table)
        return _cost(table, terms, _rate(table, terms), self._pressure(table))

    def _terms(self, table: Candidates) -> Terms:
        return self.constants.at(table.preference)

    def _pressure(self, table: Candidates) -> float:
        """U: over all waiting jobs, each counted once."""
        queue = table.queue
        waiting = queue.open[queue.first]
        waiting[WAIT] = False
        terms = self.constants.at(queue.preference[waiting])
        weight = queue.priority[waiting] / MIDDLING
        return float((weight / (queue.ideal[waiting] + terms.softening_s)).sum())


def _rate(table: Candidates, terms: Terms) -> Floats:
    """u: weighted slowdown a second."""
    rate: Floats = table.priority / MIDDLING / (table.ideal + terms.softening_s)
    return rate


def _cost(table: Candidates, terms: Terms, rate: Floats, pressure: float) -> Floats:
    light = terms.preference
    hour = max((pool.dollars_per_device_hour for pool in table.cluster.pools), default=0.0)
    scale = terms.scale(table.cheapest, hour)
    finish = table.start_delay + table.runtime
    possible = np.isfinite(finish)
    # 0 · inf is not a number: what never fits is ruled out whatever the preference.
    cost: Floats = np.where(
        possible,
        light * rate * np.where(possible, finish, 0.0)
        + (1.0 - light) * table.dollars / scale
        + terms.congestion * light * pressure * table.runtime * table.share,
        np.inf,
    )
    return cost
