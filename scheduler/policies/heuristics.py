"""Well-known heuristics, by name.

Each is an *order* of jobs (a score of the job, higher first; equal scores: oldest first) and a
*placement* (a cost of each row of the chosen job, least wins). Symbols as in the papers: w wait
(s), r estimated runtime (s), n devices, s submission time (s); r and n are those of the job's
placement with the fewest device-seconds. A job that has the best score but does not fit gets the
reservation; the round's mode decides what may start beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.queue import orders
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.scorer import Scorer, ordered
from scheduler.decisions.state.entries import WAIT
from scheduler.policies.wgc import Wgc

Column = Callable[[Candidates], Floats]
_CRITERIA: Mapping[int, Sequence[Criterion]] = {
    orders.FCFS: (Criterion.ARRIVAL,),
    orders.SJF: (Criterion.LENGTH,),
    orders.SMALLEST: (Criterion.WIDTH,),
    orders.SAF: (Criterion.AREA,),
    orders.WFP3: (Criterion.EXPANSION,),
    orders.UNICEP: (Criterion.EXPANSION, Criterion.WIDTH),
    orders.F1: (Criterion.AREA, Criterion.ARRIVAL),
    orders.F2: (Criterion.AREA, Criterion.ARRIVAL),
    orders.F3: (Criterion.AREA, Criterion.ARRIVAL),
    orders.F4: (Criterion.AREA, Criterion.ARRIVAL),
    orders.LXF: (Criterion.EXPANSION,),
    orders.EDF: (Criterion.DEADLINE,),
    orders.LLF: (Criterion.LAXITY,),
    orders.PRIORITY: (Criterion.PRIORITY, Criterion.ARRIVAL),
    orders.SJBF: (Criterion.ARRIVAL, Criterion.LENGTH),
}
"""Order → what it looks at."""


@dataclass(frozen=True, slots=True)
class Heuristic:
    """A policy made of an order and a placement, as functions of a table."""

    name: str
    order: Column
    summary: str
    """One line for people: what it prefers, and its source."""
    criteria: Sequence[Criterion] = ()
    """What the order looks at, most important first."""
    placement: Column = lambda table: table.preference_cost
    stable: bool = True

    def scores(self, table: Candidates) -> Floats:
        """(n,) The order, with WAIT last: a heuristic never waits by choice."""
        scores = np.array(self.order(table), dtype=np.float64)
        scores[WAIT] = -np.inf
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The placement's cost."""
        return self.placement(table)


@dataclass(frozen=True, slots=True)
class TextbookHeuristic:
    """A policy made of an order and a placement of `scheduler.decisions.kernel.queue.orders`."""

    name: str
    order: int
    summary: str
    """One line for people: what it prefers, and its source."""
    placement: int = orders.PREFERENCE
    price: Wgc | None = None
    """Whose price decides where, if the placement is `orders.PRICE`."""
    stable: bool = True
    scorer: Scorer = field(init=False, repr=False, compare=False)
    """The same in compiled code."""

    def __post_init__(self) -> None:
        constants = None if self.price is None else self.price.constants.table()
        object.__setattr__(self, "scorer", ordered(self.order, self.placement, constants))

    @property
    def criteria(self) -> Sequence[Criterion]:
        """What the order looks at, most important first."""
        return _CRITERIA[self.order]

    def scores(self, table: Candidates) -> Floats:
        """(n,) The order, with WAIT last: a heuristic never waits by choice."""
        scores = np.empty(len(table))
        orders.scores_of(table.world.handle, self.order, table.slot, scores)
        scores[WAIT] = -np.inf
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The placement's cost."""
        return table.costs(self.placement) if self.price is None else self.price.costs(table)


def _tetris(table: Candidates) -> Floats:
    """Alignment of demand and free devices plus shortest-work bonus; what fits comes first.

    Grandl, Ananthanarayanan, Kandula, Rao, Akella, SIGCOMM 2014: dot product of demand and
    availability, both as shares of the pool, combined with the remaining work at equal weight.
    """
    work = np.maximum(table.runtime * table.width, 1e-9)
    least = work[1:].min() if len(work) > 1 else 1.0
    return table.share * table.free + 0.5 * least / work - 2.0 * ~table.fits


HEURISTICS: Mapping[str, Heuristic | TextbookHeuristic] = {
    heuristic.name: heuristic
    for heuristic in (
        TextbookHeuristic("fcfs", orders.FCFS, "first come, first served"),
        TextbookHeuristic("sjf", orders.SJF, "shortest job first: least r"),
        TextbookHeuristic("smallest", orders.SMALLEST, "smallest job first: least n"),
        TextbookHeuristic("saf", orders.SAF, "smallest area first: least r·n"),
        TextbookHeuristic("wfp3", orders.WFP3, "(w/r)³·n (Tang et al. 2009)"),
        TextbookHeuristic("unicep", orders.UNICEP, "w/(log2(n)·r) (Tang et al. 2009)"),
        TextbookHeuristic("f1", orders.F1, "log10(r)·n + 870·log10(s) (SC 2017)"),
        TextbookHeuristic("f2", orders.F2, "√r·n + 25600·log10(s) (SC 2017)"),
        TextbookHeuristic("f3", orders.F3, "r·n + 6860000·log10(s) (SC 2017)"),
        TextbookHeuristic("f4", orders.F4, "r·√n + 530000·log10(s) (SC 2017)"),
        TextbookHeuristic("lxf", orders.LXF, "largest expansion factor: (w+r)/r"),
        TextbookHeuristic("edf", orders.EDF, "earliest deadline first"),
        TextbookHeuristic("llf", orders.LLF, "least laxity first: deadline - now - r"),
        TextbookHeuristic("priority", orders.PRIORITY, "highest priority first, then oldest"),
        Heuristic(
            "tetris",
            _tetris,
            "packing: demand · free + short work",
            (Criterion.AREA, Criterion.WIDTH),
            stable=False,
        ),
        TextbookHeuristic(
            "cheapest", orders.FCFS, "oldest first, each on its cheapest devices", orders.DOLLARS
        ),
        TextbookHeuristic(
            "fastest", orders.FCFS, "oldest first, each where it ends soonest", orders.SOONEST
        ),
        TextbookHeuristic(
            "best-value",
            orders.FCFS,
            "oldest first, each where dollars × time is least",
            orders.VALUE,
        ),
    )
}
