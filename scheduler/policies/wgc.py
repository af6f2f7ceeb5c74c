"""wgc (weighted greedy under congestion): which job by an index, where by a price, or wait.

Symbols: λ the preference (0 cheapest … 1 fastest); for a waiting job its wait t (s), its least
estimated runtime `ideal` (s) and its priority p; for a row its estimated runtime ρ (s), its start
delay δ (s) and its share s, width ÷ devices of the pool. σ, μ, θ and κ are constants.

**Where: a price.** With u = p/50 / (ideal + σ), the rate at which a waiting job's weighted slowdown
grows, and U its sum over all waiting jobs, a row costs

    λ · u · (δ + ρ)  +  (1 - λ) · dollars / scale  +  μ · λ · U · ρ · s

The last term is what the placement inflicts on the jobs that wait: for as long as it runs, it takes
its share of the pool from them. A job starts on its row of least cost.

**Whether to wait: a regret.** The regret of a job is the cost of its best row that may be chosen
now less the cost of its best row on any pool, busy or not. A job is eligible if that is at most
θ + κ · λ · u · t: it holds out for the devices that suit it, and less so the longer it waits.
Regrets are computed as if every priority were 50, in u and in U. Otherwise an urgent job, whose
seconds cost more, would hold out longer and start later than an equal job of low priority.

**Which job: an index.** Of the eligible jobs the one with the largest index starts first:

    ln(p/50) - ln((ρ + 300) · s) + ¼ · ln(1 + t / (ideal + 600)) + exp(-slack / (ρ + 600))

with ρ, δ and s of its row of least regret. The first two terms are Smith's rule (1956): weight
gained per device-second held. The third grows with the wait. The last one counts only with a
deadline and slack = deadline - now - δ - ρ ≥ 0: it grows as a deadline that can be met comes near.
If no job is eligible, the policy waits.

So of two jobs that differ in nothing else, the one with the higher priority, the longer wait or the
nearer deadline that can be met never starts later.

With a σ far above all runtimes every job's seconds count alike, with a small one its slowdown
counts. The shadow price for capacity is in the spirit of Kelly, "Charging and rate control for
elastic traffic", 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.congestion import congestion_price, own_cost
from scheduler.decisions.rounds.precedence import urgency
from scheduler.decisions.state.queue import WAIT, Floats, Ints
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.policies.constants import Constants, Schedule, Terms

PATIENCE = -1e200
"""Score of WAIT: below every job that is eligible, above those that are not."""
SHORT_S = 300.0
"""Added to runtimes in the index: jobs much shorter than this do not overtake by their length."""


@dataclass(frozen=True, slots=True)
class Wgc:
    """The policy, with its constants at every preference."""

    constants: Constants | Schedule = field(default_factory=Constants)
    name: str = "wgc"
    stable: bool = False
    summary: str = "waits for the devices that suit a job, priced by congestion"

    def scores(self, table: Candidates) -> Floats:
        """(n,) The index of the row's job if it is eligible, else less than WAIT: by its regret."""
        queue = table.queue
        slots = np.flatnonzero(queue.open[queue.first])[1:]
        index = np.full(len(queue.id), -np.inf)
        if len(slots):
            everywhere, first = table.all_open(), _first(queue.count[slots])
            terms = self._terms(everywhere)
            rate = _rate(everywhere, terms)
            cost = _cost(everywhere, terms, rate, self._pressure(table, weighed=False))
            here = np.zeros(len(queue.slot), dtype=np.bool_)
            here[table.rows] = True
            now = np.where(here[everywhere.rows], cost, np.inf)
            best = np.minimum.reduceat(now, first)
            rows = _positions(now, best, queue.count[slots], first)
            held = terms.ageing * terms.preference * rate * np.maximum(everywhere.wait, 0.0)
            able = np.isfinite(best)
            slots, rows, best = slots[able], rows[able], best[able]
            regret = best - np.minimum.reduceat(cost, first)[able]
            eligible = regret <= (terms.patience + held)[rows]
            # Where WAIT is not to be had, the least regret it is.
            index[slots] = np.where(
                eligible, _index(everywhere, rows), PATIENCE * (2.0 + regret / (1.0 + regret))
            )
        scores: Floats = index[table.slot]
        # A job that could start on one row must not be given another on which it never fits.
        scores[np.isinf(table.start_delay)] = -np.inf
        scores[WAIT] = PATIENCE
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The cost of each row: where a job starts."""
        terms = self._terms(table)
        rate = _rate(table, terms) * table.priority / MIDDLE_PRIORITY
        return _cost(table, terms, rate, self._pressure(table))

    def _terms(self, table: Candidates) -> Terms:
        return self.constants.at(table.preference)

    def _pressure(self, table: Candidates, *, weighed: bool = True) -> float:
        """U: over all waiting jobs, each counted once, by its priority or all alike."""
        queue = table.queue
        waiting = queue.open[queue.first]
        waiting[WAIT] = False
        terms = self.constants.at(queue.preference[waiting])
        weight = queue.priority[waiting] / MIDDLE_PRIORITY if weighed else 1.0
        return float((weight / (queue.ideal[waiting] + terms.softening_s)).sum())


def _first(count: Ints) -> Ints:
    """(jobs,) Positions at which the rows of each job begin; `count` rows a job."""
    return np.cumsum(count) - count


def _positions(values: Floats, wanted: Floats, count: Ints, first: Ints) -> Ints:
    """(jobs,) For each job the first of its rows that has the wanted value."""
    found = np.flatnonzero(values == np.repeat(wanted, count))
    return found[np.searchsorted(found, first)]


def _index(table: Candidates, rows: Ints) -> Floats:
    """(rows,) What is gained per device-second held, growing with the wait and the deadline."""
    held = (table.runtime[rows] + SHORT_S) * table.share[rows]
    index: Floats = urgency(table, rows) - np.log(held)
    return index


def _rate(table: Candidates, terms: Terms) -> Floats:
    """(n,) The rate u at priority 50: slowdown a second."""
    rate: Floats = 1.0 / (table.ideal + terms.softening_s)
    return rate


def _cost(table: Candidates, terms: Terms, rate: Floats, pressure: float) -> Floats:
    preference = terms.preference
    hour = max((pool.dollars_per_device_hour for pool in table.cluster.pools), default=0.0)
    scale = terms.scale(table.cheapest, hour)
    finish = table.start_delay + table.runtime
    possible = np.isfinite(finish)
    # 0 · inf is not a number: what never fits is ruled out whatever the preference.
    own = own_cost(
        preference * rate,
        np.where(possible, finish, 0.0),
        (1.0 - preference) * table.dollars / scale,
    )
    inflicted = terms.congestion * preference * pressure * table.runtime
    return np.where(possible, congestion_price(own, inflicted, table.share), np.inf)
